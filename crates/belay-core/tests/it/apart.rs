//! `apart`: two hosts of one cluster never come in one wave, the last excepted.

use std::collections::{BTreeMap, BTreeSet};

use belay_core::decide::Input;
use belay_core::model::change::Waves;
use belay_core::model::ids::ChangeId;
use belay_core::model::policy::{ClassPolicy, Pattern, WaveSize};
use belay_core::model::time::Span;
use belay_core::model::verdict::Outcome;
use belay_stats::rng::Rng;

use crate::holds::id;
use crate::lab::{Lab, admin};
use crate::waves::{fleet, names, round, waves_open};

/// A fleet whose hosts are of these clusters; a host for which none is given has no such fact.
fn clustered(cluster: impl Fn(usize) -> Option<String>, alter: impl FnOnce(&mut ClassPolicy)) -> Lab {
    let mut lab = fleet(|class| {
        class.apart = Some("cluster".into());
        alter(class);
    });
    for (nth, host) in names().iter().enumerate() {
        let facts = cluster(nth).map(|value| BTreeMap::from([("cluster".to_owned(), value)])).unwrap_or_default();
        lab.tell(&Input::Facts { principal: admin(), host: id(host), release: None, facts });
    }
    lab
}

/// The waves that a Change is drawn, by its first host's coming.
fn drawn(lab: &mut Lab) -> Waves {
    round(lab, "new");
    lab.state.changes[&ChangeId(1)].waves.clone().unwrap()
}

/// The clusters of each wave.
fn clusters(lab: &Lab, waves: &Waves) -> Vec<Vec<String>> {
    let mut from = 0;
    let mut all = Vec::new();
    for size in &waves.sizes {
        let to = *size as usize;
        let value = |host| lab.state.hosts[host].facts.get("cluster").cloned().unwrap_or_default();
        all.push(waves.order[from..to].iter().map(value).collect());
        from = to;
    }
    all
}

#[test]
fn an_early_wave_has_each_cluster_once_and_is_smaller_where_there_are_too_few() {
    let mut lab = clustered(
        |nth| Some(format!("c{}", nth % 4)),
        |class| class.waves = vec![WaveSize::Hosts(2), WaveSize::Hosts(12), WaveSize::Percent(100)],
    );
    let waves = drawn(&mut lab);
    // Twelve were asked for; four clusters give no more than four in a wave.
    assert_eq!(waves.sizes, [2, 6, 10, 20]);
    for wave in &clusters(&lab, &waves)[..3] {
        assert_eq!(wave.iter().collect::<BTreeSet<_>>().len(), wave.len(), "{wave:?}");
    }
}

#[test]
fn hosts_without_the_fact_stand_for_themselves() {
    let mut lab = clustered(|_| None, |_| {});
    assert_eq!(drawn(&mut lab).sizes, [1, 5, 17, 20], "as if there were nothing to keep apart");
}

#[test]
fn a_class_of_one_cluster_comes_host_by_host_and_then_whole() {
    let mut lab = clustered(|_| Some("only".to_owned()), |_| {});
    assert_eq!(drawn(&mut lab).sizes, [1, 2, 3, 20]);
}

#[test]
fn a_canary_whose_cluster_has_come_waits_for_the_next_wave() {
    let mut lab = clustered(
        |nth| Some(if nth < 3 { "core".to_owned() } else { format!("c{nth}") }),
        |class| {
            class.canaries = vec![Pattern::new("web01"), Pattern::new("web02"), Pattern::new("web03")];
            class.waves = vec![WaveSize::Hosts(3), WaveSize::Hosts(6), WaveSize::Percent(100)];
        },
    );
    let waves = drawn(&mut lab);
    let core =
        |wave: &[belay_core::model::ids::HostId]| wave.iter().filter(|host| ["web01", "web02", "web03"].contains(&host.as_str())).count();
    assert_eq!((core(&waves.order[..3]), core(&waves.order[3..6])), (1, 1));
}

#[test]
fn a_second_host_of_a_cluster_comes_only_when_the_wave_of_the_first_proved_good() {
    let mut lab = clustered(|nth| Some(format!("c{}", nth / 2)), |class| class.waves = vec![WaveSize::Hosts(8), WaveSize::Percent(100)]);
    let first = round(&mut lab, "new");
    assert_eq!(first.len(), 8);
    assert!(round(&mut lab, "new").is_subset(&first), "their fellows wait while they are on trial");
    lab.pass(Span::from_min(31));
    lab.conclude(1, Outcome::Accepted);
    assert_eq!(waves_open(&lab), 2);
}

/// Whatever the clusters, sizes and canaries: every host has one place, waves grow to all of them,
/// keep three peers to the last, and no early wave has two of one cluster. A wave smaller than asked
/// for has every cluster that was left.
#[test]
fn waves_keep_clusters_apart_whatever_they_are() {
    let mut smaller = 0;
    for seed in 0..300 {
        let mut rng = Rng::new(seed);
        let (count, without) = (1 + rng.below(12), rng.chance(0.3));
        let of: Vec<Option<String>> =
            (0..names().len()).map(|_| (!without || rng.chance(0.8)).then(|| format!("c{}", rng.below(count)))).collect();
        let asked: Vec<u32> = (0..1 + rng.below(5)).map(|_| 1 + u32::try_from(rng.below(19)).unwrap()).collect();
        let canary = rng.chance(0.5);
        let mut lab = clustered(
            |nth| of[nth].clone(),
            |class| {
                class.waves = asked.iter().map(|size| WaveSize::Hosts(*size)).chain([WaveSize::Percent(100)]).collect();
                class.canaries = canary.then(|| Pattern::new("web1?")).into_iter().collect();
            },
        );
        let waves = drawn(&mut lab);
        let all: BTreeSet<String> = waves.order.iter().map(ToString::to_string).collect();
        assert_eq!((all.len(), waves.order.len()), (names().len(), names().len()), "seed {seed}");
        assert!(waves.sizes.is_sorted_by(|one, next| one < next), "seed {seed}: {:?}", waves.sizes);
        assert_eq!(waves.sizes.last(), Some(&20), "seed {seed}");
        let by_wave = clusters(&lab, &waves);
        for wave in &by_wave[..by_wave.len() - 1] {
            let known: Vec<&String> = wave.iter().filter(|cluster| !cluster.is_empty()).collect();
            assert_eq!(known.iter().collect::<BTreeSet<_>>().len(), known.len(), "seed {seed}: {wave:?}");
        }
        assert!(waves.sizes.len() < 2 || waves.sizes[waves.sizes.len() - 2] <= 17, "seed {seed}: {:?}", waves.sizes);
        smaller += usize::from(waves.sizes[0] < asked[0].min(17));
    }
    assert!(smaller > 30, "clusters made a first wave smaller {smaller} times only");
}
