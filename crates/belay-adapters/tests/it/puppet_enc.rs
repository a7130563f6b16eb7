//! What another classifier said stays what it was, as Puppet's own reader (Ruby's YAML) reads it.

use belay_adapters::tools::HostTool;
use belay_adapters::tools::puppet::Puppet;
use belay_core::model::ids::Environment;

const RECORDED: &str = include_str!("../../src/tools/puppet/fixtures/enc/output-environment.yaml");

/// Answers of classifiers, in the ways people and programs write them.
const ANSWERS: [&str; 12] = [
    RECORDED,
    "--- {}\n",
    "---\nclasses:\n  sitemonitor:\n    release: \"141\"\n",
    "classes: [a, b, 'c::d']\nparameters: {n: 1, f: 1.50, t: true, y: yes, z: ~, e: , o: 0644, s: '0644', d: 2026-11-25, x: 0x1f}\n",
    "environment: old\nclasses:\n- base\n- ntp: {servers: [10.0.0.1, '10.0.0.2']}\nparameters:\n  motd: |\n    one\n      two\n\n    three\n",
    "parameters:\n  folded: >-\n    a\n    b\n  plain: several\n    lines\n    of - text\n  quoted: \"tab\\t nul-free \\u00e9 \\U0001F600 \\\"q\\\"\"\n",
    "parameters:\n  deep: [[[1, [2]], {a: {b: [{c: d}]}}]]\n  empty: [[], {}, '']\n",
    "'quoted key': 1\n\"with: colon\": 2\n3: three\ntrue: yes\n:symbol: :value\n",
    "parameters:\n  url: http://x/y?a=b#c\n  colon: a:b\n  dash: -x\n  star: 'a*b'\n  at: '@x'\n  percent: '%{x}'\n  umlaut: gr\u{fc}\u{df}e\n",
    "a: !!str 1\nb: !!int '2'\n",
    "a: 1\na: 2\nb: null\n",
    "# a remark\n---\n# another\nclasses:   # here too\n    wide: ~\n...\n",
];

/// Compares both documents but for the environment; prints what differs.
const COMPARE: &str = r##"
read = ->(text) { YAML.safe_load(text, permitted_classes: [Symbol, Date]) }
puts "ready"
STDIN.read.split("\x01").each_slice(2) do |inner, wrapped|
  a, b = read.(inner), read.(wrapped)
  puts "environment #{b['environment'].inspect}" unless b.delete('environment') == 'r142'
  a.delete('environment')
  puts "#{a.inspect} became #{b.inspect}" unless a.eql?(b) || a.inspect == b.inspect
end
"##;

#[test]
#[expect(
    clippy::disallowed_types,
    clippy::disallowed_macros,
    reason = "the one reader that counts is Ruby's; without it the test says that it did not run"
)]
fn ruby_reads_the_same_but_for_the_environment() {
    let environment = Environment::parse("r142").unwrap();
    let pairs: Vec<String> =
        ANSWERS.iter().flat_map(|inner| [(*inner).to_owned(), Puppet.enc_wrap(inner.as_bytes(), Some(&environment)).unwrap()]).collect();
    let child = std::process::Command::new("ruby")
        .args(["-ryaml", "-rdate", "-Eutf-8:utf-8", "-e", COMPARE])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("SKIPPED: there is no ruby here to read the answers with");
        return;
    };
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), pairs.join("\u{1}").as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    assert_eq!(String::from_utf8(out.stdout).unwrap(), "ready\n");
}
