# The front door. Every target installs what is missing (and says so) and needs nothing run before it.
.PHONY: demo demo-crash run test check docs-check newcomer bench load fuzz drill siege setup install deb third-party
CARGO ?= cargo
# A debug build is a third of a release build's time, and carries a call with ease.
BIN = $(CARGO) run --quiet --locked --bin callgate --

setup:
	@tools/setup.sh

demo: setup ## places one simulated call through the real webhooks and the real media socket, and shows it
	@echo "Building callgate (the first time takes a minute or two)."
	@$(CARGO) build --locked --bin callgate
	@$(BIN) demo

demo-crash: setup ## two gateways; the one that has the call is killed, and the call goes on at the other
	@$(CARGO) build --locked --bin callgate
	@$(BIN) demo --fault crash

run: setup ## serves; with no settings at all on loopback, with a webhook key and the simulated model
	@$(CARGO) build --locked --bin callgate
	@tools/run.sh

test: ## every test, with what it needs: on SQLite, and on a throw-away PostgreSQL
	@tools/setup.sh tests
	@tools/test.sh

check: ## format, lints, docs, gates, and the instructions that a message of audio takes
	@tools/setup.sh tests
	@$(CARGO) fmt --all -- --check
	@tools/gates.sh
	@$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	@RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	@tools/instructions.sh

docs-check: setup ## the pages: every link leads somewhere, every command runs (a part of `make test`)
	@$(CARGO) test --locked -p callgate --test docs

newcomer: setup ## a stranger's first quarter of an hour, by the clock: a fresh clone, the first call, an own greeting and a function
	@tools/newcomer.sh

bench: ## criterion: each stage of the media path per 20 ms frame, the webhooks, and the store on both databases
	@tools/setup.sh tests
	@$(CARGO) bench --locked

load: setup ## many simulated calls at once against a release build (docs/load.md); CALLS, SECS, ARGS="--find", PIN=1, OUT=FILE, DATABASE=postgres
	@[ "$(DATABASE)" != postgres ] || tools/setup.sh tests
	@$(CARGO) build --release --locked --bin callgate
	@tools/load.sh

fuzz: setup ## inputs nobody thought of, to the parsers and to the call itself; SECS of each target, TARGETS
	@tools/fuzz.sh

drill: ## what on-call engineers fear, done to gateways with live calls: the model, the gateway and the database die, and one of two gateways again and again
	@tools/setup.sh tests
	@$(CARGO) build --locked --bin callgate
	@tools/drill.sh
	@ulimit -n "$$(ulimit -Hn)"; $(CARGO) bench --locked --bench crash

siege: setup ## what somebody who means ill does, to a release build with live calls: floods, idle connections, key presses, calls without media
	@$(CARGO) build --release --locked --bin callgate
	@ulimit -n "$$(ulimit -Hn)"; $(CARGO) bench --locked --bench siege

install: setup ## a release build below PREFIX (/usr/local; ~/.local if you are not root)
	@$(CARGO) build --release --locked --bin callgate
	@tools/install.sh

deb: setup ## a Debian package of a release build: unit, settings, manual pages, completions
	@$(CARGO) build --release --locked --bin callgate
	@tools/deb.sh

third-party: ## THIRD-PARTY.md, anew from Cargo.lock
	@tools/third-party.sh
