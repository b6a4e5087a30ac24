//! What the drills against whole gateways have in common: they are run by name, sized by the environment, and fail as a process does.

use std::path::PathBuf;

/// Runs a drill, and ends with whether it went well. As a test it does nothing.
pub fn run(name: &str, target: &str, drill: impl Future<Output = bool>) {
    if !std::env::args().any(|word| word == "--bench") {
        return println!("{name}: run it by `make {target}`");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let good = runtime.block_on(drill);
    std::process::exit(i32::from(!good));
}

/// A number of the environment.
pub fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|value| value.parse().ok()).unwrap_or(default)
}

/// The gateway under test: `CALLGATE`, else the one that was built.
pub fn binary() -> PathBuf {
    std::env::var_os("CALLGATE").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_callgate")), PathBuf::from)
}
