//! Good and bad snippets for the scanner.

use super::*;

/// Checks that the words outside comments and literals are exactly these.
fn code(source: &str, expected: &str) {
    let blanked = blank(source);
    assert_eq!(blanked.matches('\n').count(), source.matches('\n').count(), "lines of {source:?}");
    assert_eq!(blanked.len(), source.len(), "length of {source:?}");
    let squeezed = blanked.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed, expected, "{source:?}");
}

#[test]
fn comments_are_blanked() {
    code("a // b\nc", "a c");
    code("a /* b */ c", "a c");
    code("a /* b /* c\n */ d */ e", "a e");
    code("a / b", "a / b");
    code("/// doc \"open\nfn", "fn");
    code("a /* never closed", "a");
}

#[test]
fn strings_are_blanked() {
    code(r#"a("b // c")"#, r#"a(" ")"#);
    code(r#"a("b \" c") d"#, r#"a(" ") d"#);
    code(r#"a("\\") d"#, r#"a(" ") d"#);
    code("a(\"b\n{\n\") d", "a(\" \") d");
    code(r#"a(b"{") d"#, r#"a(b" ") d"#);
    code(r#"a("näme{") d"#, r#"a(" ") d"#);
    code(r#"a("never closed"#, r#"a(""#);
}

#[test]
fn raw_strings_are_blanked_and_raw_identifiers_are_not() {
    code(r##"a(r"b\") c"##, r##"a(r" ") c"##);
    code(r###"a(r#"b " c"#) d"###, r###"a(r#" "#) d"###);
    code(r###"a(br#"{"#) d"###, r###"a(br#" "#) d"###);
    code("let r#type = 1;", "let r#type = 1;");
    code("let var = r * 2;", "let var = r * 2;");
    code(r#"let for_r = number"#, r#"let for_r = number"#);
}

#[test]
fn characters_are_told_from_lifetimes() {
    code("a('{')", "a(' ')");
    code("a('\"') b", "a(' ') b");
    code(r"a('\'') b", "a(' ') b");
    code(r"a('\\') b", "a(' ') b");
    code(r"a('\u{7b}') b", "a(' ') b");
    code("a(b'{') c", "a(b' ') c");
    code("a('ä') b", "a(' ') b");
    code("fn a<'b, 'c>(d: &'b str) {}", "fn a<'b, 'c>(d: &'b str) {}");
    code("'outer: loop { break 'outer; }", "'outer: loop { break 'outer; }");
}

/// Checks name, line and number of lines of the functions found.
fn functions_of(source: &str, expected: &[(&str, usize, usize)]) {
    let found = functions(&blank(source));
    let seen: Vec<(&str, usize, usize)> = found.iter().map(|function| (function.name.as_str(), function.line, function.lines)).collect();
    assert_eq!(seen, expected, "{source:?}");
}

#[test]
fn functions_are_measured_from_fn_to_the_closing_brace() {
    functions_of("fn a() {}", &[("a", 1, 1)]);
    functions_of("\n/// doc\n#[x]\npub(crate) async fn a(\n    b: u8,\n) -> u8 {\n    b\n}\n", &[("a", 4, 5)]);
    functions_of("fn a() {\n}\nfn b() {\n\n}\n", &[("a", 1, 2), ("b", 3, 3)]);
    functions_of("impl A {\n    fn a(&self) {\n        if b { c } else { d }\n    }\n}\nfn e() {}", &[("a", 2, 3), ("e", 6, 1)]);
    functions_of("fn r#match() {\n}", &[("match", 1, 2)]);
}

#[test]
fn braces_in_literals_and_comments_do_not_count() {
    functions_of("fn a() {\n    b(\"}\", '}', r#\"}\"#); // }\n    /* } */\n}\nfn c() {}", &[("a", 1, 4), ("c", 5, 1)]);
    functions_of("fn a<'b>(c: &'b str) {\n    d('{');\n}\nfn e() {}", &[("a", 1, 3), ("e", 4, 1)]);
}

#[test]
fn inner_functions_count_for_both() {
    functions_of("fn a() {\n    fn b() {\n    }\n}\n", &[("a", 1, 4), ("b", 2, 2)]);
}

#[test]
fn declarations_and_function_types_are_no_functions() {
    functions_of("trait A { fn a(&self);\n fn b(&self) -> [u8; 3] {\n [0; 3] } }", &[("b", 2, 2)]);
    functions_of("type A = fn(u8) -> u8; struct B { c: fn() }", &[]);
    functions_of("macro_rules! a { ($b:ident) => { fn $b() {} } }", &[]);
    functions_of("fn a(b: impl Fn(u8) -> u8, c: fn()) {\n}", &[("a", 1, 2)]);
}

#[test]
fn generics_where_clauses_and_constants_do_not_confuse() {
    functions_of("fn a<T: Into<Vec<u8>>, const N: usize>(t: T) -> Result<(), E>\nwhere\n    T: Copy,\n{\n    b\n}", &[("a", 1, 6)]);
    functions_of("fn a() -> B<{ 1 + 2 }> {\n}", &[("a", 1, 2)]);
    functions_of("fn a() -> [u8; { 1 + 2 }] {\n}", &[("a", 1, 2)]);
    functions_of("fn a(b in 0..(1 << 3), c in any::<u8>()) {\n}", &[("a", 1, 2)]);
}

#[test]
fn source_that_ends_too_early_is_measured_to_its_end() {
    functions_of("fn a() {\n    b", &[("a", 1, 2)]);
    functions_of("fn a(", &[]);
    functions_of("fn", &[]);
}
