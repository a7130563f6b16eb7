//! Form 1 of a case: a trial with the windows it was judged by.

use belay_core::model::change::Trial;
use belay_core::model::evidence::Evidence;
use serde::ser::{SerializeMap, Serializer};
use serde_json::Value;

use super::form::{Fault, Fields, Form, parse, put_field};

/// The text of a case, with its form.
pub(in crate::journal) fn write_case(form: u32, trial: &Trial, evidence: &Evidence) -> String {
    let mut text = Vec::new();
    put_case(&mut serde_json::Serializer::new(&mut text), form, trial, evidence).expect("writing into memory cannot fail");
    String::from_utf8(text).expect("JSON is UTF-8")
}

fn put_case<S: Serializer>(out: S, form: u32, trial: &Trial, evidence: &Evidence) -> Result<S::Ok, S::Error> {
    let mut fields = out.serialize_map(None)?;
    put_field(&mut fields, "form", &form)?;
    put_field(&mut fields, "trial", trial)?;
    put_field(&mut fields, "evidence", evidence)?;
    fields.end()
}

/// The form of a case, and the rest of it.
pub(in crate::journal) fn open_case(text: &str) -> Result<(u32, Value), Fault> {
    let mut value = parse(text)?;
    let form = value.as_object_mut().and_then(|fields| fields.remove("form"));
    let form = form.ok_or_else(|| Fault::new("it is not there").within("form"))?;
    Ok((u32::take(form).map_err(|fault| fault.within("form"))?, value))
}

/// Reads the rest of a case.
pub(in crate::journal) fn read_case(body: Value) -> Result<(Trial, Evidence), Fault> {
    let mut fields = Fields::of(body)?;
    let case = (fields.take("trial")?, fields.take("evidence")?);
    fields.finish()?;
    Ok(case)
}
