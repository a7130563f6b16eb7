//! A catalog of a thousand files, and the report of the run that applied it, as Puppet writes them.

use std::fmt::Write as _;

use serde_json::json;

/// How many files there are.
pub const FILES: usize = 1_000;
/// The host that both are of.
pub const HOST: &str = "web01.example.com";
const UUID: &str = "9d4facdf-a85c-4d16-b0bd-c173cefae2b9";

/// The catalog; `news` is a text that the first of its files holds.
pub fn catalog(news: &str) -> String {
    let file = |nth: usize| {
        let news = if nth == 0 { news } else { "" };
        let content =
            format!("# part {nth} of the application\nkey_{nth} = value {}\nlisten = 127.0.0.1:{}\n{news}\n", nth * 7, 8_000 + nth);
        let parameters =
            json!({"ensure": "file", "owner": "root", "group": "root", "mode": "0644", "content": content, "notify": "Service[app]"});
        json!({
            "type": "File", "title": title(nth), "tags": ["file", "node", "default", "class", "app"], "file": "/etc/puppet/code/site.pp",
            "line": nth, "kind": "compilable_type", "exported": false, "parameters": parameters,
        })
    };
    let resources: Vec<_> = (0..FILES).map(file).collect();
    json!({
        "name": HOST, "version": 1_795_331_560, "catalog_uuid": UUID, "catalog_format": 2, "environment": "production",
        "resources": resources, "edges": [], "classes": ["app"],
    })
    .to_string()
}

/// The report of the run that made all these files.
pub fn report() -> String {
    let mut text = format!(
        "--- !ruby/object:Puppet::Transaction::Report\nhost: {HOST}\ntime: '2026-11-22T07:12:33.599286240+00:00'\n\
         configuration_version: 1795331560\ntransaction_uuid: 8acadfe2-cb5c-43a5-9d31-051add1a041f\nreport_format: 12\n\
         puppet_version: 7.23.0\nstatus: changed\ntransaction_completed: true\nnoop: false\nnoop_pending: false\n\
         environment: production\nlogs: []\nmetrics: {{}}\nresource_statuses:\n"
    );
    for nth in 0..FILES {
        let title = title(nth);
        _ = write!(
            text,
            "  File[{title}]:\n    title: \"{title}\"\n    line: {nth}\n    resource: File[{title}]\n    resource_type: File\n    \
             time: '2026-11-22T07:12:44.803652388+00:00'\n    failed: false\n    failed_to_restart: false\n    changed: true\n    \
             out_of_sync: true\n    skipped: false\n    change_count: 1\n    out_of_sync_count: 1\n    events:\n    - audited: false\n      \
             property: ensure\n      previous_value: absent\n      desired_value: file\n      \
             message: \"defined content as '{{sha256}}{nth:064x}'\"\n      name: file_created\n      status: success\n      \
             time: '2026-11-22T07:12:44.803926853+00:00'\n      redacted:\n      corrective_change: false\n    corrective_change: false\n"
        );
    }
    text.push_str(&format!("corrective_change: false\ncatalog_uuid: {UUID}\ncached_catalog_status: not_used\n"));
    text
}

fn title(nth: usize) -> String {
    format!("/etc/app/conf.d/part-{nth:04}.conf")
}
