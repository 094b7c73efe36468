//! Lets what links libphp find it at run time: the folder of libphp becomes the rpath of this
//! crate's tests, and is handed on, as `DEP_FPMD_SAPI_LIBDIR`, to the build script of every crate
//! that makes an executable of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_PHP_LIBDIR");
    match std::env::var("DEP_PHP_LIBDIR") {
        Ok(folder) => {
            println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
            println!("cargo::metadata=libdir={folder}");
        }
        Err(error) => println!("cargo::error=php-sys did not say where libphp is: {error}"),
    }
}
