//! Compiles the C shim against the headers of the chosen PHP.
//!
//! Position-independent code is required, not a preference: without it the linker would copy PHP's
//! global structures into the executable, with the size they had at build time.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::installation::Installation;
use crate::library::Library;

/// Builds `libfpmd_php.a` from every C file of `shim/`, to use `library` as it is to be used.
///
/// # Errors
/// An unreadable folder, or what the compiler says.
pub(crate) fn compile(
    php: &Installation,
    library: &Library,
) -> Result<(), Box<dyn std::error::Error>> {
    let mut build = cc::Build::new();
    for folder in &php.include_dirs {
        // As system headers: warnings about PHP's own code are not ours to heed.
        build.flag("-isystem").flag(folder);
    }
    if let Some(name) = library.run_time_name()? {
        build.define("FPMD_LIBPHP", &*quoted(&name));
    }
    build
        .files(sources()?)
        .pic(true)
        .std("gnu11")
        .define("_GNU_SOURCE", None)
        // The compiler sees variables that a jump may clobber only when it optimises.
        .opt_level(2)
        .flag("-fvisibility=hidden")
        .warnings(true)
        .extra_warnings(true)
        // PHP's own headers and callback signatures are full of parameters that a callback does not
        // need.
        .flag("-Wno-unused-parameter")
        .try_compile("fpmd_php")?;
    Ok(())
}

/// A text as a literal of C. File names of libraries need no escapes.
fn quoted(text: &str) -> String {
    format!("\"{text}\"")
}

/// The C files in a stable order, so that two builds make the same archive.
fn sources() -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir("shim")? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "c") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
