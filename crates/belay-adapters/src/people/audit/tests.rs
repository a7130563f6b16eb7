use super::*;

const LOCK: &str = "/opt/puppetlabs/puppet/cache/state/agent_disabled.lock";
const ACCOUNTS: &str = "root:x:0:0:root:/root:/bin/bash\nbob:x:1000:1000::/srv/bob:/bin/bash\n";

/// An event as auditd writes it for `rm` by somebody who became root, in the raw format.
fn removed(at: &str, number: u64, name: &str, kind: &str) -> String {
    format!(
        "type=SYSCALL msg=audit({at}:{number}): arch=c000003e syscall=263 success=yes exit=0 a0=ffffff9c a1=55d0c3a9e4d0 a2=0 a3=100 items=2 \
         ppid=4100 pid=4242 auid=1000 uid=0 gid=0 euid=0 suid=0 fsuid=0 egid=0 sgid=0 fsgid=0 tty=pts0 ses=3 comm=\"rm\" exe=\"/usr/bin/rm\" \
         subj=unconfined key=\"belay-lock\"\n\
         type=CWD msg=audit({at}:{number}): cwd=\"/opt/puppetlabs/puppet/cache/state\"\n\
         type=PATH msg=audit({at}:{number}): item=0 name=\"/opt/puppetlabs/puppet/cache/state/\" inode=11 dev=fd:00 mode=040755 ouid=0 ogid=0 rdev=00:00 nametype=PARENT cap_fp=0\n\
         type=PATH msg=audit({at}:{number}): item=1 name={name} inode=12 dev=fd:00 mode=0100644 ouid=0 ogid=0 rdev=00:00 nametype={kind} cap_fp=0\n\
         type=PROCTITLE msg=audit({at}:{number}): proctitle=726D\n"
    )
}

fn quoted(name: &str) -> String {
    format!("\"{name}\"")
}

fn asked(log: &str) -> Option<String> {
    remover(log, LOCK, Timestamp::from_ms(1_700_000_000_000), ACCOUNTS).map(|hand| hand.words())
}

#[test]
fn whoever_logged_in_is_named_also_after_becoming_root() {
    let want = Some("observed: bob (as root, with /usr/bin/rm)".to_owned());
    assert_eq!(asked(&removed("1700000001.250", 7, &quoted(LOCK), "DELETE")), want);
    // By a name within the folder, by hexadecimal digits, behind the name of a host.
    assert_eq!(asked(&removed("1700000001.250", 7, "\"agent_disabled.lock\"", "DELETE")), want);
    let digits: String = LOCK.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(asked(&removed("1700000001.250", 7, &digits, "DELETE")), want);
    assert_eq!(asked(&removed("1700000001.250", 7, &quoted(LOCK), "DELETE").replace("\ntype=", "\nnode=web01 type=")), want);
}

#[test]
fn the_enriched_format_says_the_names_itself_and_a_daemon_has_no_login() {
    let raw = removed("1700000001.250", 7, &quoted(LOCK), "DELETE");
    let enriched =
        raw.replace("key=\"belay-lock\"", "key=\"belay-lock\"\u{1d}ARCH=x86_64 SYSCALL=unlinkat AUID=\"carol\" UID=\"root\" GID=\"root\"");
    assert_eq!(asked(&enriched).as_deref(), Some("observed: carol (as root, with /usr/bin/rm)"));
    let daemon = raw.replace("auid=1000", "auid=4294967295");
    assert_eq!(asked(&daemon).as_deref(), Some("observed: root (with /usr/bin/rm)"));
    let unknown = raw.replace("auid=1000", "auid=1234");
    assert_eq!(asked(&unknown).as_deref(), Some("observed: #1234 (as root, with /usr/bin/rm)"));
}

#[test]
fn only_the_last_removal_of_this_file_counts_and_none_from_before_the_lock() {
    let gone = |at: &str, number| removed(at, number, &quoted(LOCK), "DELETE");
    assert_eq!(asked(&gone("1699999999.999", 7)), None, "it was removed before it was written");
    let made = removed("1700000002.000", 8, &quoted(LOCK), "CREATE");
    assert_eq!(asked(&[gone("1700000001.000", 7), made].concat()), None, "it was made again since");
    assert_eq!(asked(&removed("1700000001.000", 7, "\"/etc/passwd\"", "DELETE")), None, "another file");
    assert_eq!(asked(&gone("1700000001.000", 7).replace("success=yes", "success=no")), None, "it was not let");
    let carol = gone("1700000003.000", 9).replace("auid=1000", "auid=0");
    assert_eq!(asked(&[gone("1700000001.000", 7), carol].concat()).as_deref(), Some("observed: root (with /usr/bin/rm)"));
    // One file put in the place of another: removed and made in one event.
    let both = gone("1700000001.000", 7) + &removed("1700000001.000", 7, &quoted(LOCK), "CREATE");
    assert_eq!(asked(&both), None);
}

#[test]
fn what_is_no_such_log_names_nobody() {
    for log in [
        "",
        "type=",
        "type=SYSCALL msg=audit(",
        "type=PATH msg=audit(1.2:3): name=",
        "x\n\u{1d}=\n",
        "type=SYSCALL msg=audit(99999999999999999999.1:1): a=b",
    ] {
        assert_eq!(asked(log), None, "{log:?}");
    }
    let whole = removed("1700000001.250", 7, &quoted(LOCK), "DELETE");
    for end in (0..whole.len()).filter(|end| whole.is_char_boundary(*end)) {
        _ = asked(&whole[..end]);
        _ = asked(&whole[end..]);
    }
}
