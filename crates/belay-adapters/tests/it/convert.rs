//! The same report in another dress: YAML into JSON, keys added, lines changed.

use saphyr_parser::{Event, Parser, ScalarStyle};
use serde_json::{Map, Number, Value};

/// A report's YAML as the JSON that Puppet would make of it (with its keys sorted).
pub fn json(yaml: &str) -> Vec<u8> {
    let mut events = Parser::new_from_str(yaml).map(|event| event.unwrap().0).filter(|event| {
        !matches!(event, Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd | Event::Nothing)
    });
    let first = events.next().unwrap();
    serde_json::to_vec(&value(first, &mut events)).unwrap()
}

fn value<'a>(event: Event<'a>, rest: &mut impl Iterator<Item = Event<'a>>) -> Value {
    match event {
        Event::Scalar(text, ScalarStyle::Plain, ..) => plain(&text),
        Event::Scalar(text, ..) => Value::String(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut items = Vec::new();
            loop {
                match rest.next().unwrap() {
                    Event::SequenceEnd => return Value::Array(items),
                    event => items.push(value(event, rest)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut entries = Map::new();
            loop {
                match rest.next().unwrap() {
                    Event::MappingEnd => return Value::Object(entries),
                    Event::Scalar(key, ..) => {
                        let next = rest.next().unwrap();
                        entries.insert(key.into_owned(), value(next, rest));
                    }
                    other => panic!("a key that is {other:?}"),
                }
            }
        }
        other => panic!("{other:?} where a value belongs"),
    }
}

fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        _ => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Value::from(number),
            (_, Ok(number)) if text.starts_with(|c: char| c.is_ascii_digit()) => {
                Number::from_f64(number).map_or(Value::Null, Value::Number)
            }
            _ => Value::String(text.to_owned()),
        },
    }
}

/// The YAML with keys in it that nobody knows: at the top, in the log, in each resource and event.
pub fn with_strangers(yaml: &str) -> String {
    let mut out = String::new();
    for line in yaml.lines() {
        out.push_str(line);
        out.push('\n');
        if line.starts_with("host: ") {
            out.push_str("moon_phase:\n  of: [a, b]\n  deep:\n  - - - x\n");
        } else if line.starts_with("  source: ") {
            out.push_str("  weather: rain\n");
        } else if line.starts_with("    resource_type: ") {
            out.push_str("    colour: {red: 1}\n");
        } else if line.starts_with("      name: ") {
            out.push_str("      mood: good\n");
        }
    }
    out
}
