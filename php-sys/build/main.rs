//! Build script of php-sys, in four steps with a file each: locate PHP, check what was found,
//! compile the C shim, generate the bindings. Nothing here prints but this file, so that what Cargo
//! is told stands in one place.
//!
//! Metadata for the crates that link (`DEP_PHP_…` in the build script of a direct dependent):
//! `LIBDIR`, the folder of libphp, which an executable needs as its rpath to open it; `VERSION`, PHP's
//! version.

mod bindings;
mod installation;
mod locate;
mod shim;

use std::error::Error;
use std::process::ExitCode;

use installation::Installation;

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

    let found = locate::php_config()?;
    let php = Installation::ask(&found)?;
    php.check()?;
    let library = php.library()?;
    for path in php.inputs() {
        println!("cargo::rerun-if-changed={}", path.display());
    }

    println!("cargo::rerun-if-changed={}", library.file.display());

    shim::compile(&php, &library)?;
    bindings::generate()?;

    println!("cargo::metadata=libdir={}", library.folder.display());
    println!("cargo::metadata=version={}", php.version);
    Ok(())
}
