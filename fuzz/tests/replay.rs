//! Every corpus through its target, and mutations of it: what a fuzzer has found once is found again on stable.
//!
//! `PP_LONG_TESTS=1` makes a hundred times as many mutations; `PRESENCE_FUZZ_SEED` repeats a run,
//! `PRESENCE_FUZZ_TARGET` names the one target that is meant.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "tests")]

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};

use presence_fuzz::dice::Dice;
use presence_fuzz::mutate::{mutate, read_dictionary};
use presence_fuzz::{TARGETS, Target};

/// The seed of every run.
const FIXED: u64 = 20_261_122;
/// So many mutations of each target's corpus with the fixed seed, and as many with a fresh one.
const MUTATIONS: usize = 3_000;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder().join("corpus").join(target.name))
        .unwrap()
        .map(|file| file.unwrap().path())
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), std::fs::read(path).unwrap())).collect()
}

/// Runs one input; where it panics, the input is said and left where it can be made a file of the corpus.
fn run(target: &Target, what: &str, data: &[u8]) {
    let run = target.run;
    if let Err(panic) = std::panic::catch_unwind(|| run(data)) {
        let kept = std::env::temp_dir().join(format!("presence-fuzz-{}-{:016x}", target.name, fingerprint(data)));
        std::fs::write(&kept, data).unwrap();
        println!("{}: {what} breaks a rule; it is in {} to be put into the corpus", target.name, kept.display());
        std::panic::resume_unwind(panic);
    }
}

fn fingerprint(data: &[u8]) -> u64 {
    data.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn mutations(seed: u64, count: usize) {
    let only = std::env::var("PRESENCE_FUZZ_TARGET").ok();
    for target in TARGETS.iter().filter(|target| only.as_deref().is_none_or(|only| only == target.name)) {
        let words =
            std::fs::read_to_string(folder().join("dictionaries").join(format!("{}.dict", target.dictionary))).unwrap();
        let words = read_dictionary(&words);
        let seeds: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, bytes)| bytes).collect();
        let mut dice = Dice::new(seed ^ fingerprint(target.name.as_bytes()));
        // Those with a memory are worth fewer, longer runs.
        let count = if matches!(target.name, "simple" | "skype") { count / 3 } else { count };
        for number in 0..count {
            let input = mutate(&mut dice, &seeds[number % seeds.len()], &seeds, &words);
            run(target, &format!("mutation {number} of seed {seed}"), &input);
        }
    }
}

fn count() -> usize {
    if std::env::var_os("PP_LONG_TESTS").is_some() { 100 * MUTATIONS } else { MUTATIONS }
}

#[test]
fn every_file_of_every_corpus_keeps_the_rules() {
    let mut bytes = 0;
    for target in TARGETS {
        let files = corpus(target);
        assert!(files.len() >= 3, "{} has a corpus", target.name);
        for (path, data) in files {
            bytes += data.len();
            run(target, &path.display().to_string(), &data);
        }
    }
    assert!(bytes < 300 * 1024, "the corpora have {bytes} bytes: minimise them");
}

#[test]
fn mutations_of_a_fixed_seed_keep_the_rules() {
    mutations(FIXED, count());
}

#[test]
fn mutations_of_a_fresh_seed_keep_the_rules() {
    let seed = match std::env::var("PRESENCE_FUZZ_SEED") {
        Ok(seed) => seed.parse().unwrap(),
        Err(_) => RandomState::new().build_hasher().finish(),
    };
    println!("PRESENCE_FUZZ_SEED={seed}");
    mutations(seed, count());
}

#[test]
fn every_target_has_its_wrapper_and_every_wrapper_its_target() {
    let wrappers = folder().join("libfuzzer/fuzz_targets");
    let manifest = std::fs::read_to_string(folder().join("libfuzzer/Cargo.toml")).unwrap();
    for target in TARGETS {
        let text = std::fs::read_to_string(wrappers.join(format!("{}.rs", target.name))).unwrap();
        assert!(text.contains(&format!("run(\"{}\"", target.name)), "{}", target.name);
        assert!(manifest.contains(&format!("name = \"{}\"", target.name)), "{}", target.name);
    }
    // Without the feature `http` that target is not here.
    let all = TARGETS.len() + usize::from(!TARGETS.iter().any(|target| target.name == "http"));
    assert_eq!(std::fs::read_dir(wrappers).unwrap().count(), all);
}
