# The tasks of a working day.   just            lists them

_default:
    @just --list --unsorted

# format, lints, every test, Kamailio included, documentation
all:
    tests/run

# what a save should run: formatting and lints
check:
    cargo fmt --all
    cargo clippy --workspace --all-targets -- -D warnings

# the tests, or those whose name holds WORD
test WORD='':
    cargo nextest run --workspace {{ WORD }}

# the tests against a real Kamailio
kamailio:
    cargo nextest run --package presence-provider -E 'binary(/^kamailio_/)'

# a simulated presence server and the whole provider in one process
demo *ARGS:
    cargo run --release -- demo {{ ARGS }}

# benchmarks
bench *ARGS:
    cargo bench --workspace {{ ARGS }}

# the documentation of the crates, in a browser
doc:
    cargo doc --workspace --no-deps --open

# licences, banned crates, version floors
deny:
    cargo deny --offline check bans licenses sources
