//! Every story of `scenarios/` happens as it is told.

use std::path::Path;

use belay_sim::checkers::check;
use belay_sim::scenario::tell;

#[test]
fn every_scenario_happens_as_it_is_told() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    files.sort();
    assert!(!files.is_empty(), "there are no stories in {}", folder.display());
    let mut deviations = Vec::new();
    for path in &files {
        let name = format!("scenarios/{}", path.file_name().unwrap().to_string_lossy());
        match tell(&name, &std::fs::read_to_string(path).unwrap()) {
            Ok(world) => {
                println!("{name}: as told");
                deviations.extend(check(&world).into_iter().map(|breach| format!("{name}: {breach}")));
            }
            Err(deviation) => deviations.push(deviation.to_string()),
        }
    }
    assert!(deviations.is_empty(), "{} of {} stories went otherwise:\n\n{}", deviations.len(), files.len(), deviations.join("\n\n"));
}
