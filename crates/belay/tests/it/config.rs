//! `belay config check`, and a server that is given a wrong configuration.

use crate::harness::run;

const WRONG: &str = "[[class]]\nname = \"web\"\nhots = [\"web*\"]\nhorizon = \"2h\"\nbake = \"3h\"\n";

#[test]
fn every_mistake_has_its_place_and_its_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    std::fs::write(&file, WRONG).unwrap();
    let path = file.to_str().unwrap();
    let checked = run(&["config", "check", path]);
    assert_eq!(checked.code, 1);
    let shown = checked.err.replace(path, "belay.toml");
    insta::assert_snapshot!(shown);
    let served = run(&["serve", "--config", path, "--state", dir.path().join("state").to_str().unwrap()]);
    assert!(
        served.code == 1 && served.err.contains("did you mean `hosts`?") && served.err.contains("nothing was started"),
        "{}",
        served.err
    );
    assert!(!dir.path().join("state").exists(), "nothing was made before the configuration was read");
}

#[test]
fn a_configuration_in_order_is_summed_up_and_drop_ins_count() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("belay.toml");
    std::fs::write(&file, "[[class]]\nname = \"web\"\nhosts = [\"web*\"]\n").unwrap();
    let drops = dir.path().join("belay.toml.d");
    std::fs::create_dir(&drops).unwrap();
    std::fs::write(
        drops.join("10-signals.toml"),
        "[[signal]]\nname = \"r\"\nclass = \"web\"\nkind = \"flow\"\nselect = \"requests_total\"\n",
    )
    .unwrap();
    let checked = run(&["config", "check", file.to_str().unwrap()]);
    assert_eq!((checked.code, checked.out.trim()), (0, "In order 1 class, 1 signal (1 must-have), 0 places for alerts"), "{}", checked.err);
    assert!(checked.err.starts_with("warning: no [[alert]]"), "{}", checked.err);
    let missing = run(&["config", "check", "no-such-file.toml"]);
    assert!(missing.code == 1 && missing.err.contains("no-such-file.toml"), "{}", missing.err);
}
