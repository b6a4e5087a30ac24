//! How many files this process may have open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that no call has: the database's, recordings', dials that are tried again, the program's own.
pub const KEPT: u64 = 200;

/// Raises the soft limit to the hard one, which nobody has to be asked for. Returns what there is then.
pub fn raise_limit() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum && setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).is_ok() {
        return maximum.unwrap_or(u64::MAX);
    }
    current.unwrap_or(u64::MAX)
}

/// What to say when so many files are too few for a node's calls: each needs two, its media socket and its model's.
#[must_use]
pub fn open_file_warning(max_calls: usize) -> Option<String> {
    warning(getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX), max_calls)
}

fn warning(files: u64, max_calls: usize) -> Option<String> {
    let wanted = (2 * max_calls as u64).saturating_add(KEPT);
    (files < wanted).then(|| {
        format!(
            "this process may open {files} files, and MAX_CALLS={max_calls} wants {wanted} (two a call, and {KEPT}): \
             raise the hard limit (LimitNOFILE= of systemd, --ulimit nofile= of docker, ulimit -Hn), or lower MAX_CALLS"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_files_for_the_calls_are_told_with_the_mend() {
        assert_eq!(warning(2200, 1000), None);
        assert_eq!(warning(u64::MAX, 1_000_000), None);
        let said = warning(1024, 1000).unwrap();
        assert!(said.contains("1024") && said.contains("2200") && said.contains("LimitNOFILE"), "{said}");
    }

    #[test]
    fn the_soft_limit_is_raised_to_the_hard_one() {
        let files = raise_limit();
        let limit = getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
        assert_eq!(files, limit.current.unwrap_or(u64::MAX));
    }
}
