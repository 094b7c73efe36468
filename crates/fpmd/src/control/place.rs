//! Where the daemon takes orders: said on the command line, or by its configuration file.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use bstr::{BString, ByteSlice};

use super::arguments::Place;
use super::failure::Failure;
use crate::cli::Options;
use crate::configuration::control_listen;

/// Finds the control socket.
///
/// # Errors
/// When the configuration file does not tell.
pub(super) fn find(place: &Place) -> Result<PathBuf, Failure> {
    if let Some(path) = &place.control {
        return Ok(path.clone());
    }
    let bytes = |path: &PathBuf| BString::from(path.clone().into_os_string().into_vec());
    let options = Options::of_configuration(
        place.config.as_ref().map(bytes),
        place.prefix.as_ref().map(bytes),
    );
    let (file, found) = control_listen(&options);
    match found {
        Ok(Some(path)) => Ok(OsString::from_vec(path.into()).into()),
        Ok(None) => Err(Failure::NoSocket {
            file: file.to_string(),
        }),
        Err(error) => {
            let messages = error.report().messages.iter();
            let texts: Vec<_> = messages
                .map(|message| message.text().to_str_lossy().trim_end().to_owned())
                .collect();
            Err(Failure::Configuration {
                error: texts.join("; "),
            })
        }
    }
}
