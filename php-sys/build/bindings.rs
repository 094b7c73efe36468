//! Generates the Rust side of `shim/fpmd_php.h`. The header is read alone: no header of PHP is
//! involved, so the bindings do not depend on its version.

use std::env;
use std::error::Error;
use std::path::Path;

/// Writes `bindings.rs` into Cargo's output folder.
///
/// # Errors
/// libclang is missing, or the header does not parse.
pub(crate) fn generate() -> Result<(), Box<dyn Error>> {
    let out_dir = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set: run me through cargo")?;
    bindgen::Builder::default()
        .header("shim/fpmd_php.h")
        .allowlist_item("(fpmd|FPMD)_.*")
        .default_enum_style(bindgen::EnumVariation::NewType {
            is_bitfield: false,
            is_global: false,
        })
        .generate_comments(true)
        .merge_extern_blocks(true)
        .generate()?
        .write_to_file(Path::new(&out_dir).join("bindings.rs"))?;
    Ok(())
}
