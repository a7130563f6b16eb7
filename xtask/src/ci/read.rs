//! What the output of a step proves. A step that proves nothing has failed: no test run, no story told.

use std::process::ExitStatus;

use crate::child::Tally;

/// What shows that a step is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It ends with status 0.
    Exit,
    /// Status 0, and the test harness counted passed tests and no failed one.
    Tests,
    /// Status 0, and the last line is JSON that says `"story": "ok"`.
    Story,
    /// As `Story`, or it says on a line `skipped: REASON` why it could not run here.
    StoryUnlessSkipped,
}

/// How a step went. `failure` is the reason; without one the step is good, or skipped.
#[derive(Debug, PartialEq, Eq)]
pub struct Outcome {
    pub tally: Tally,
    pub skipped: Vec<String>,
    pub failure: Option<String>,
}

impl Outcome {
    pub fn word(&self) -> &'static str {
        match (&self.failure, self.tally) {
            (Some(_), _) => "FAILED",
            (None, Tally { passed: 0, .. }) => "skipped",
            (None, _) => "ok",
        }
    }

    fn good() -> Outcome {
        Outcome { tally: Tally { passed: 1, ..Tally::default() }, skipped: Vec::new(), failure: None }
    }

    fn failed(why: String) -> Outcome {
        Outcome { tally: Tally { failed: 1, ..Tally::default() }, skipped: Vec::new(), failure: Some(why) }
    }
}

/// What has been read of a step's output so far; bounded, however much it prints.
#[derive(Debug, Default)]
pub struct Seen {
    tally: Tally,
    last: String,
    skipped: Option<String>,
}

impl Seen {
    pub fn line(&mut self, line: &str) {
        self.tally.read(line);
        if let Some(reason) = line.strip_prefix("skipped:") {
            self.skipped.get_or_insert_with(|| reason.trim().to_owned());
        }
        if !line.trim().is_empty() {
            line.clone_into(&mut self.last);
        }
    }

    pub fn outcome(self, proof: Proof, status: anyhow::Result<ExitStatus>) -> Outcome {
        let ended = match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(status.to_string()),
            Err(error) => Err(format!("{error:#}")),
        };
        self.judge(proof, ended)
    }

    fn judge(self, proof: Proof, ended: Result<(), String>) -> Outcome {
        match (proof, ended, self.skipped) {
            (Proof::Tests, ended, _) => tests(self.tally, ended),
            (_, Err(why), _) => Outcome::failed(why),
            (Proof::Exit, Ok(()), _) => Outcome::good(),
            (Proof::StoryUnlessSkipped, Ok(()), Some(reason)) => {
                Outcome { tally: Tally { skipped: 1, ..Tally::default() }, skipped: vec![reason], failure: None }
            }
            (Proof::Story | Proof::StoryUnlessSkipped, Ok(()), _) => match story(&self.last) {
                Ok(()) => Outcome::good(),
                Err(why) => Outcome::failed(why),
            },
        }
    }
}

fn tests(tally: Tally, ended: Result<(), String>) -> Outcome {
    let failure = match ended {
        Err(why) => Some(why),
        Ok(()) if tally.failed > 0 => Some("failed tests, and yet status 0".to_owned()),
        Ok(()) if tally.passed == 0 => Some("no test was run".to_owned()),
        Ok(()) => None,
    };
    // A crash or a compile error fails the step without the harness having counted anything.
    let failed = if failure.is_some() { tally.failed.max(1) } else { tally.failed };
    let skipped = if tally.skipped == 0 { Vec::new() } else { vec![format!("{} ignored tests", tally.skipped)] };
    Outcome { tally: Tally { failed, ..tally }, skipped, failure }
}

fn story(last: &str) -> Result<(), String> {
    let value: serde_json::Value = serde_json::from_str(last).map_err(|error| format!("the last line is not JSON ({error}): {last}"))?;
    match value.get("story").and_then(serde_json::Value::as_str) {
        Some("ok") => Ok(()),
        Some(other) => Err(format!("the story is `{other}`: {last}")),
        None => Err(format!("the last line has no `story`: {last}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(output: &str, proof: Proof, ended: Result<(), &str>) -> Outcome {
        let mut seen = Seen::default();
        output.lines().for_each(|line| seen.line(line));
        seen.judge(proof, ended.map_err(str::to_owned))
    }

    const PASSED: &str = "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";
    const EMPTY: &str = "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s";

    #[test]
    fn tests_are_summed_over_binaries() {
        let outcome = read(&format!("{PASSED}\nnoise\n{PASSED}\n{EMPTY}"), Proof::Tests, Ok(()));
        assert_eq!(outcome, Outcome { tally: Tally { passed: 10, failed: 0, skipped: 0 }, skipped: vec![], failure: None });
        assert_eq!(outcome.word(), "ok");
    }

    #[test]
    fn no_test_run_is_a_failure() {
        let outcome = read(EMPTY, Proof::Tests, Ok(()));
        assert_eq!(outcome.failure.as_deref(), Some("no test was run"));
        assert_eq!(outcome.tally.failed, 1);
    }

    #[test]
    fn a_crash_counts_as_one_failure() {
        let outcome = read(PASSED, Proof::Tests, Err("signal: 6 (SIGABRT)"));
        assert_eq!(outcome.tally, Tally { passed: 5, failed: 1, skipped: 0 });
        assert_eq!(outcome.word(), "FAILED");
    }

    #[test]
    fn ignored_tests_are_said_aloud() {
        let outcome = read("test result: ok. 5 passed; 0 failed; 2 ignored; 0 measured", Proof::Tests, Ok(()));
        assert_eq!(outcome.skipped, ["2 ignored tests"]);
    }

    #[test]
    fn a_story_must_be_told_and_be_ok() {
        assert_eq!(read("starting\n{\"story\":\"ok\",\"seconds\":4}\n\n", Proof::Story, Ok(())), Outcome::good());
        for (bad, why) in [("{\"story\":\"bad\"}", "`bad`"), ("{\"hosts\":3}", "no `story`"), ("all is well", "not JSON"), ("", "not JSON")]
        {
            let failure = read(bad, Proof::Story, Ok(())).failure.unwrap_or_default();
            assert!(failure.contains(why), "{bad}: {failure}");
        }
        assert!(read("{\"story\":\"ok\"}", Proof::Story, Err("exit status: 1")).failure.is_some());
    }

    #[test]
    fn only_the_night_may_be_skipped_and_only_with_status_0() {
        let said = "looking\nskipped: no package source\n";
        let outcome = read(said, Proof::StoryUnlessSkipped, Ok(()));
        assert_eq!((outcome.word(), outcome.skipped.as_slice()), ("skipped", ["no package source".to_owned()].as_slice()));
        assert!(read(said, Proof::Story, Ok(())).failure.is_some());
        assert!(read(said, Proof::StoryUnlessSkipped, Err("exit status: 2")).failure.is_some());
    }
}
