//! The `callgate` binary.

use std::process::ExitCode;

/// A call makes and drops some hundred small buffers a second.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    callgate::main()
}
