//! Tells this crate's tests where they find libphp; cargo does not hand link arguments of libraries on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(folder) = std::env::var("DEP_FPMD_SAPI_LIBDIR") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
