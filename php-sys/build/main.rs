//! Build script of php-sys, in four steps with a file each: locate PHP, check what was found,
//! compile the C shim, generate the bindings. Nothing here prints but this file, so that what Cargo
//! is told stands in one place.
//!
//! Metadata for the crates that link (`DEP_PHP_…` in the build script of a direct dependent):
//! `LINK_ARGUMENT`, which the linker needs for every executable to find PHP, or extensions to find it there;
//! `VERSION`, PHP's version.

mod bindings;
mod installation;
mod library;
mod locate;
mod shim;

use std::error::Error;
use std::process::ExitCode;

use installation::Installation;
use library::{File, Library, Needs};

fn main() -> ExitCode {
    match build() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("cargo::error={error}");
            ExitCode::FAILURE
        }
    }
}

fn build() -> Result<(), Box<dyn Error>> {
    for name in locate::ENVIRONMENT {
        println!("cargo::rerun-if-env-changed={name}");
    }
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-changed=shim");

    let php = Installation::read(locate::php_config()?)?;
    php.check()?;
    let library = php.library()?;
    for path in php.inputs() {
        println!("cargo::rerun-if-changed={}", path.display());
    }

    println!("cargo::rerun-if-changed={}", library.file().path.display());

    shim::compile(&php, &library)?;
    bindings::generate()?;

    if let Library::Static(file, needs) = &library {
        link(file, needs);
    }
    println!("cargo::metadata=link_argument={}", library.argument()?);
    println!("cargo::metadata=version={}", php.version);
    Ok(())
}

/// Makes a libphp.a part of every program that uses this crate, with the shared libraries that it needs.
fn link(file: &File, needs: &Needs) {
    println!("cargo::rustc-link-search=native={}", file.folder.display());
    for folder in &needs.folders {
        println!("cargo::rustc-link-search=native={folder}");
    }
    println!(
        "cargo::rustc-link-lib=static:+whole-archive,-bundle={}",
        file.name
    );
    for library in &needs.libraries {
        println!("cargo::rustc-link-lib=dylib={library}");
    }
    for flag in &needs.other {
        println!("cargo::warning=php-config has the linker told '{flag}', which it is not");
    }
}
