//! What a process and its children take, as the kernel tells it.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, ensure};

/// A process and all that came of it.
pub struct Tree {
    root: u32,
    ticks: f64,
}

/// What was taken.
pub struct Spent {
    /// Seconds of CPU, in the program and in the kernel for it.
    pub cpu_s: f64,
    /// Memory at most.
    pub peak_mb: f64,
}

impl Tree {
    /// The tree below this process.
    pub fn of(root: u32) -> anyhow::Result<Self> {
        let said = Command::new("getconf").arg("CLK_TCK").output().context("ask for the kernel's clock (getconf CLK_TCK)")?;
        let ticks = String::from_utf8_lossy(&said.stdout).trim().parse().context("the kernel's clock is no number")?;
        Ok(Self { root, ticks })
    }

    /// CPU since their start of all that live, and of those that have ended and were waited for.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        let ticks = self.members()?.into_iter().filter_map(|pid| stat(pid).map(|stat| stat.ticks)).sum::<u64>();
        Ok(ticks as f64 / self.ticks)
    }

    /// From now on the peak counts anew: what the start took is not the work's.
    pub fn forget_peak(&self) -> anyhow::Result<()> {
        std::fs::write(format!("/proc/{}/clear_refs", self.root), "5").context("forget the peak of a process (clear_refs)")
    }

    /// The most that its first process has had in memory.
    pub fn peak_mb(&self) -> anyhow::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.root)).context("the process has ended")?;
        kb(&status, "VmHWM:").map(|kb| kb / 1024.0).context("the kernel tells no peak")
    }

    /// What all of them have in memory now; what they share counts once.
    pub fn shared_out_mb(&self) -> anyhow::Result<f64> {
        let rollups = self.members()?.into_iter().filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok());
        Ok(rollups.filter_map(|rollup| kb(&rollup, "Pss:")).sum::<f64>() / 1024.0)
    }

    fn members(&self) -> anyhow::Result<Vec<u32>> {
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for entry in std::fs::read_dir("/proc").context("list processes")? {
            let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if let Some(stat) = stat(pid) {
                children.entry(stat.parent).or_default().push(pid);
            }
        }
        ensure!(stat(self.root).is_some(), "process {} has ended", self.root);
        let (mut members, mut at) = (vec![self.root], 0);
        while let Some(pid) = members.get(at) {
            members.extend(children.remove(pid).unwrap_or_default());
            at += 1;
        }
        Ok(members)
    }
}

struct Stat {
    parent: u32,
    ticks: u64,
}

/// `PID (NAME) STATE PPID ... utime stime cutime cstime`; the name may hold anything.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11..15)?.iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Some(Stat { parent: fields.get(1)?.parse().ok()?, ticks })
}

fn kb(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_s_work_counts_for_its_tree() {
        let tree = Tree::of(std::process::id()).expect("a tree");
        let before = tree.cpu().expect("CPU");
        let busy = Command::new("sh").args(["-c", "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"]).status().expect("sh");
        assert!(busy.success());
        assert!(tree.cpu().expect("CPU") > before, "the work of a child that has ended");
        assert!(tree.peak_mb().expect("a peak") > 1.0 && tree.shared_out_mb().expect("a size") > 1.0);
    }
}
