//! Why a file cannot be a database: SQLite says "unable to open database file" to all of it.

use std::fs::Metadata;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, access};
use rustix::io::Errno;

/// What every SQLite file begins with.
const MAGIC: &[u8] = b"SQLite format 3\0";
const ANOTHER: &str = "or let DATABASE_URL name another file";

/// What is wrong with a path, and the mend; none when it is not the path's fault.
pub(super) fn trouble(path: &str) -> Option<String> {
    let path = Path::new(path);
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Some(format!(
            "it is a folder: let DATABASE_URL name a file in it, such as sqlite://{}/callgate.db",
            path.display()
        )),
        Ok(found) => barred(path, &found, "it", Access::READ_OK | Access::WRITE_OK)
            .or_else(|| foreign(path))
            // The journal lies beside it.
            .or_else(|| folder(path)),
        Err(error) if error.kind() == ErrorKind::NotFound => folder(path),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Some(format!("what should be its folder is a file: make it one, {ANOTHER}"))
        }
        Err(_) => {
            folder(path).or_else(|| Some(format!("its folder may not be looked into by {}: allow it, {ANOTHER}", us())))
        }
    }
}

fn folder(path: &Path) -> Option<String> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match std::fs::metadata(folder) {
        Ok(found) if !found.is_dir() => Some(format!("{} is no folder: make it one, {ANOTHER}", folder.display())),
        Ok(found) => {
            let what = format!("its folder {}", folder.display());
            barred(folder, &found, &what, Access::WRITE_OK | Access::EXEC_OK)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let folder = folder.display();
            Some(format!("its folder {folder} is not there: make it (mkdir -p {folder}), {ANOTHER}"))
        }
        Err(_) => None,
    }
}

/// Why we may not do with something what a database needs.
fn barred(path: &Path, found: &Metadata, what: &str, needed: Access) -> Option<String> {
    match access(path, needed) {
        Ok(()) => None,
        Err(Errno::ROFS) => {
            Some(format!("{what} is on a file system that is mounted read-only: mount it to be written to, {ANOTHER}"))
        }
        Err(_) => Some(format!(
            "{what} may not be written to by {} (it belongs to user {}, mode {:o}): chown it, run callgate as its owner, {ANOTHER}",
            us(),
            found.uid(),
            found.mode() & 0o777
        )),
    }
}

fn foreign(path: &Path) -> Option<String> {
    let mut begins = Vec::new();
    std::fs::File::open(path).ok()?.take(MAGIC.len() as u64).read_to_end(&mut begins).ok()?;
    let is = begins.is_empty() || begins == MAGIC;
    (!is).then(|| format!("it is no SQLite database: move it away, {ANOTHER}"))
}

fn us() -> String {
    format!("user {}", rustix::process::geteuid().as_raw())
}
