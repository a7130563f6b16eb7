//! Commands that make something happen. `HOSTS` is a class, a name, a range `web01..web15`, or
//! several of them with commas; `ITEM` is `"File[/etc/app.conf] content"`.
//!
//! | command | what happens |
//! |---|---|
//! | `fleet CLASS COUNT release R environment E` | hosts `CLASS01`, `CLASS02`, ... come to be, where they are not yet |
//! | `content E CLASS ITEM "text"`, `version E V` | a branch gets content; its content gets a name |
//! | `broken E CLASS "error"`, `mended E CLASS` | a branch cannot be compiled for a class; it can again |
//! | `needs CLASS R ITEM "text"` | the release's code works with this text only |
//! | `bad "text" stops` | the text hurts whoever reads it (`halves`, `fails-check`, `freezes`, `vanishes`) |
//! | `flow even` | requests come evenly, in place of at random |
//! | `enrol HOSTS [splay D]` | hosts tell their facts and run for the first time |
//! | `release HOSTS R [splay D]` | hosts come to run a release, and it is told |
//! | `upgrade HOSTS R environment E [splay D]` | the same, and right after it a run in that environment |
//! | `run HOSTS [environment E] [noop] [splay D]` | hosts run the tool |
//! | `environment HOSTS E` | hosts ask for this environment from now on |
//! | `cron HOSTS every D`, `cron HOSTS off` | hosts run on a schedule |
//! | `drift HOSTS ITEM` | somebody edits it by hand |
//! | `silence HOSTS [for D]`, `gone HOSTS [for D]` | their exporter is silent; nothing at all comes from them |
//! | `storm CLASS 10% for D` | only this part of the flow reaches the class |
//! | `skew HOSTS D`, `late HOSTS D`, `copies HOSTS N` | clocks are off; reports travel longer; reports repeat |
//! | `spool HOSTS`, `drain HOSTS` | reports wait on the host; they come all at once, in any order |
//! | `fail HOSTS "RESOURCE" "error"`, `repair HOSTS "RESOURCE"` | a resource fails; no longer |
//! | `kept-catalog HOSTS on` | what cannot be compiled is replaced by what was kept |
//! | `values HOSTS nan` | in place of values (`inf`, `stale`; `good` ends it) |
//! | `lag HOSTS D` | samples travel this long |
//! | `receiver NAME down` | deliveries fail (`refuses`; `up` ends it) |
//! | `accept c-1 by NAME "reason"`, `reject ...` | a person decides (`as ROLE` before the reason) |

use belay_core::decide::{Input, Ruling};
use belay_core::model::ids::{HostId, ReceiverName};
use belay_core::model::principal::Role;
use belay_core::model::time::{Span, Timestamp};

use super::Stage;
use super::words::{self, Words};
use crate::fleet::application::Hurt;
use crate::fleet::condition::Dirt;
use crate::fleet::host::{Order, SimHost};
use crate::world::{Due, Receipt, Switch, person};

/// From an upgrade to the run that follows it.
const UPGRADE_TO_RUN: Span = Span::from_s(20);

impl Stage {
    pub(super) fn order(&mut self, order: &str, words: &mut Words<'_>) -> Result<(), String> {
        match order {
            "fleet" | "content" | "version" | "broken" | "mended" | "needs" | "bad" | "flow" => self.set_up(order, words),
            "enrol" | "release" | "upgrade" | "run" | "environment" | "drift" => self.do_work(order, words),
            "cron" | "silence" | "gone" | "skew" | "late" | "copies" | "spool" | "drain" | "fail" | "repair" | "kept-catalog"
            | "values" | "lag" => self.go_wrong(order, words),
            "storm" => self.storm(words),
            "receiver" => self.receiver(words),
            "accept" => self.rule(Ruling::Accept, words),
            "reject" => self.rule(Ruling::Reject, words),
            other => Err(format!("there is no command `{other}`")),
        }
    }

    fn set_up(&mut self, order: &str, words: &mut Words<'_>) -> Result<(), String> {
        let fleet = &mut self.world.fleet;
        match order {
            "fleet" => return self.fleet(words),
            "content" => {
                let (environment, class) = (words.environment()?, words.class()?);
                let (item, text) = (words.item()?, words.next("a text")?);
                fleet.branches.entry(environment).or_default().put(&class, item, text);
            }
            "version" => {
                let environment = words.environment()?;
                fleet.branches.entry(environment).or_default().version = Some(words.next("a version")?.to_owned());
            }
            "broken" => {
                let (environment, class) = (words.environment()?, words.class()?);
                fleet.branches.entry(environment).or_default().set_broken(&class, Some(words.next("an error")?));
            }
            "mended" => {
                let (environment, class) = (words.environment()?, words.class()?);
                fleet.branches.entry(environment).or_default().set_broken(&class, None);
            }
            "needs" => {
                let (class, release) = (words.class()?, words.release()?.ok_or("a release has to be named")?);
                let (item, text) = (words.item()?, words.next("a text")?);
                fleet.application.need(&class, &release, item, text);
            }
            "bad" => {
                let (text, word) = (words.next("a text")?, words.next("what it does")?);
                let hurt = Hurt::ALL.into_iter().find(|hurt| hurt.word() == word).ok_or_else(|| format!("no text `{word}` anybody"))?;
                fleet.application.hurt(text, hurt);
            }
            _ => {
                words.must("even")?;
                self.world.signals.rhythm.even = true;
            }
        }
        Ok(())
    }

    fn fleet(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let class = words.class()?;
        let count: usize = words.number("how many hosts")?;
        words.must("release")?;
        let release = words.release()?;
        words.must("environment")?;
        let environment = words.environment()?;
        for number in 1..=count {
            let id = HostId::parse(&format!("{class}{number:02}")).map_err(|bad| bad.to_string())?;
            if !self.world.fleet.hosts.contains_key(&id) {
                self.world.add_host(SimHost::new(id, class.clone(), release.clone(), environment.clone()));
            }
        }
        Ok(())
    }

    fn do_work(&mut self, order: &str, words: &mut Words<'_>) -> Result<(), String> {
        let hosts = words.hosts(&self.world.fleet)?;
        match order {
            "enrol" => {
                let splay = words.span_option("splay")?;
                for (at, host) in self.spread(&hosts, splay) {
                    self.world.plan(at, Due::Tell(host.clone()));
                    self.world.plan(at, Due::Run(host, Order::default()));
                }
            }
            "release" | "upgrade" => self.upgrade(order == "upgrade", &hosts, words)?,
            "run" => {
                let environment = words.option("environment")?.map(words::environment).transpose()?;
                let noop = words.take_if("noop");
                let splay = words.span_option("splay")?;
                for (at, host) in self.spread(&hosts, splay) {
                    self.world.plan(at, Due::Run(host, Order { environment: environment.clone(), noop }));
                }
            }
            "environment" => {
                let environment = words.environment()?;
                for host in &hosts {
                    self.world.fleet.hosts.get_mut(host).expect("it was found").environment = environment.clone();
                }
            }
            _ => {
                let item = words.item()?;
                for host in &hosts {
                    let disk = &mut self.world.fleet.hosts.get_mut(host).expect("it was found").disk;
                    disk.insert(item.clone(), "edited by hand".to_owned());
                    self.world.fleet.feel(host, self.world.clock);
                }
            }
        }
        Ok(())
    }

    fn upgrade(&mut self, and_run: bool, hosts: &[HostId], words: &mut Words<'_>) -> Result<(), String> {
        let release = words.release()?.ok_or("a release has to be named")?;
        let environment = match and_run {
            true => {
                words.must("environment")?;
                Some(words.environment()?)
            }
            false => None,
        };
        let splay = words.span_option("splay")?;
        for (at, host) in self.spread(hosts, splay) {
            self.world.plan(at, Due::Release(host.clone(), release.clone()));
            if environment.is_some() {
                let order = Order { environment: environment.clone(), noop: false };
                self.world.plan(at + UPGRADE_TO_RUN, Due::Run(host, order));
            }
        }
        Ok(())
    }

    /// The hosts, each with its moment within the splay.
    fn spread(&self, hosts: &[HostId], splay: Option<Span>) -> Vec<(Timestamp, HostId)> {
        let step = splay.unwrap_or(Span::ZERO).ms() / i64::try_from(hosts.len()).unwrap_or(1).max(1);
        let moment = |place: usize| self.world.clock + Span::from_ms(step).times(i64::try_from(place).unwrap_or(0));
        hosts.iter().enumerate().map(|(place, host)| (moment(place), host.clone())).collect()
    }

    fn go_wrong(&mut self, order: &str, words: &mut Words<'_>) -> Result<(), String> {
        let hosts = words.hosts(&self.world.fleet)?;
        let (switch, back) = match order {
            "cron" if words.take_if("off") => (Switch::Cron(None), None),
            "cron" => {
                words.must("every")?;
                (Switch::Cron(Some(words.span("how often")?)), None)
            }
            "silence" => (Switch::Silent(true), Some(Switch::Silent(false))),
            "gone" => (Switch::Gone(true), Some(Switch::Gone(false))),
            "skew" => (Switch::Skew(words.span("how far")?), None),
            "late" => (Switch::Late(words.span("how late")?), None),
            "lag" => (Switch::Lag(words.span("how late")?), None),
            "copies" => (Switch::Copies(words.number("how many")?), None),
            "spool" => (Switch::Spooling(true), None),
            "drain" => (Switch::Spooling(false), None),
            "fail" => {
                let resource = words.next("a resource")?.to_owned();
                (Switch::Failing(resource, Some(words.next("an error")?.to_owned())), None)
            }
            "repair" => (Switch::Failing(words.next("a resource")?.to_owned(), None), None),
            "kept-catalog" => (Switch::KeepsCatalog(words.on()?), None),
            _ => (Switch::Dirt(dirt(words.next("what comes in place of values")?)?), None),
        };
        let lasts = words.span_option("for")?;
        for host in &hosts {
            self.world.switch(host, &switch);
            if let (Some(lasts), Some(back)) = (lasts, &back) {
                self.world.plan(self.world.clock + lasts, Due::Switch(host.clone(), back.clone()));
            }
        }
        Ok(())
    }

    fn storm(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let class = words.class()?;
        let part = words.next("how much is left")?;
        let percent: f64 = part.strip_suffix('%').and_then(|n| n.parse().ok()).ok_or_else(|| format!("`{part}` is no percentage"))?;
        words.must("for")?;
        let lasts = words.span("how long")?;
        self.world.storm(&class, percent / 100.0, lasts);
        Ok(())
    }

    fn receiver(&mut self, words: &mut Words<'_>) -> Result<(), String> {
        let name = ReceiverName::parse(words.next("a receiver")?).map_err(|bad| bad.to_string())?;
        let receipt = match words.next("`up`, `down` or `refuses`")? {
            "up" => Receipt::Takes,
            "down" => Receipt::Down,
            "refuses" => Receipt::Refuses,
            other => return Err(format!("a receiver is `up`, `down` or `refuses`, not `{other}`")),
        };
        self.world.outbox.receipts.insert(name, receipt);
        Ok(())
    }

    fn rule(&mut self, ruling: Ruling, words: &mut Words<'_>) -> Result<(), String> {
        let change = words.change()?;
        words.must("by")?;
        let name = words.next("a person")?;
        let role = match words.option("as")? {
            None => Role::Approver,
            Some(word) => Role::ALL.into_iter().find(|role| role.word() == word).ok_or_else(|| format!("there is no role `{word}`"))?,
        };
        let reason = words.next("a reason")?.to_owned();
        self.world.input(&Input::Override { principal: person(name, role), change, ruling, seen: None, reason });
        Ok(())
    }
}

fn dirt(word: &str) -> Result<Dirt, String> {
    match word {
        "nan" => Ok(Dirt::NotANumber),
        "inf" => Ok(Dirt::Infinite),
        "stale" => Ok(Dirt::Stale),
        "good" => Ok(Dirt::None),
        other => Err(format!("`{other}` is none of `nan`, `inf`, `stale`, `good`")),
    }
}
