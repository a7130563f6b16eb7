//! Seeds that once went wrong, each with what was wrong.

use super::play;

#[test]
fn seeds_that_once_went_wrong_hold() {
    let pinned = [
        (20341, "a release without its files was accepted with the files that cured its hosts"),
        (20766, "the same, with two hosts that stood still for minutes"),
        (20907, "the same, beside another class"),
        (20578, "a host that stood still since the Change before was business as usual"),
        (20878, "the same, on two hosts"),
        (5058, "the same, on two of three hosts"),
        (30211, "two hosts without peers stopped and were put back by the schedule, one after two steps"),
        (42042, "a host that left within its grace spoke for the Change"),
        (4455, "three hosts of many that stood still for longer than the own past were asked to have stopped now"),
        (41179, "hosts that stood still already were asked to stop"),
        (41814, "hosts that carried bad content for less than a minute were asked to show it"),
        (11057, "in a lull in which nothing could stop a Change was accepted early"),
        (12253, "the same, on a flow so thin that it rests for minutes"),
        (1703, "a past of less than three trials was believed, and harmless content rejected"),
        (3385, "the same, on the mean of several hosts"),
        (2569, "a host that was known under a rejected Change alone, standing still, was compared with that"),
        (50247, "all harm on hosts that left a rejected Change just now was a suspicion, though they had been well"),
        (40620, "content was called harmless on hosts that got the wrong environment with it"),
    ];
    let wrong: Vec<String> = pinned
        .iter()
        .flat_map(|(seed, was)| play(*seed).breaches.into_iter().map(move |breach| format!("seed {seed} ({was}): {breach}")))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
