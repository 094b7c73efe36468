//! Lets this crate's tests find libphp; cargo does not hand link arguments of libraries on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if let Ok(argument) = std::env::var("DEP_FPMD_SAPI_LINK_ARGUMENT") {
        println!("cargo::rustc-link-arg={argument}");
    }
}
