//! Lets what uses libphp find it at run time: what php-sys says the linker needs to be told for that is told for this
//! crate's tests, and is handed on, as `DEP_FPMD_SAPI_LINK_ARGUMENT`, to the build script of every crate that makes an
//! executable of its own.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_PHP_LINK_ARGUMENT");
    match std::env::var("DEP_PHP_LINK_ARGUMENT") {
        Ok(argument) => {
            println!("cargo::rustc-link-arg={argument}");
            println!("cargo::metadata=link_argument={argument}");
        }
        Err(error) => println!("cargo::error=php-sys did not say how libphp is found: {error}"),
    }
}
