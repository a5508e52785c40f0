//! The credential files of the simulated accounts.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use presence_simulator::GraphServiceSettings;
use serde_json::json;

/// The refresh token that the simulated user was signed in with at first.
pub(super) const REFRESH_TOKEN: &str = "simulated.refresh.of.user1";

/// The file of the application's account and that of the user's, as they are written.
pub(super) fn files() -> [(&'static str, String); 2] {
    let application =
        json!({ "client_id": GraphServiceSettings::CLIENT, "client_secret": GraphServiceSettings::SECRET });
    let user = json!({ "client_id": GraphServiceSettings::CLIENT, "refresh_token": true });
    [("account1.json", format!("{application}\n")), ("user1.json", format!("{user}\n"))]
}

/// Writes them into a folder, which is made when it is not there; for the owner alone. What is there is not touched.
pub(super) fn write(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    for (name, text) in files() {
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(folder.join(name)) {
            Ok(mut file) => file.write_all(text.as_bytes())?,
            Err(why) if why.kind() == io::ErrorKind::AlreadyExists => {}
            Err(why) => return Err(why),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_for_the_owner_alone_and_what_is_there_stays() {
        let scratch = tempfile::tempdir().expect("a folder");
        let folder = scratch.path().join("credentials");
        write(&folder).expect("written");
        let file = folder.join("account1.json");
        assert!(fs::read_to_string(&file).expect("a file").contains(GraphServiceSettings::SECRET));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).expect("a file").permissions().mode() & 0o777, 0o600);
        }
        fs::write(&file, "mine").expect("written");
        write(&folder).expect("written again");
        assert_eq!(fs::read_to_string(&file).expect("a file"), "mine");
    }
}
