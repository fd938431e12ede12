//! What a JSON schema says of a value, by draft 4: the keywords that Septum's schemas use, and no others.

use std::cell::RefCell;
use std::collections::BTreeMap;

use regex::Regex;
use serde_json::{Map, Value};

/// Whether `value` is what `schema` allows.
///
/// # Panics
/// At a keyword that it does not know: nothing of a schema is passed over.
pub fn allows(schema: &Value, value: &Value) -> bool {
    let rules = schema.as_object().expect("a schema is an object");
    rules.iter().all(|(keyword, rule)| keeps(keyword, rule, rules, value))
}

fn keeps(keyword: &str, rule: &Value, rules: &Map<String, Value>, value: &Value) -> bool {
    match keyword {
        "$schema" | "title" | "description" | "default" | "examples" => true,
        "type" => types(rule).any(|name| is(name, value)),
        "enum" => list(rule).contains(value),
        "anyOf" => list(rule).iter().any(|schema| allows(schema, value)),
        "not" => !allows(rule, value),
        "minimum" => value.as_number().is_none_or(|_| !is_below(value, rule)),
        "maximum" => value.as_number().is_none_or(|_| !is_below(rule, value)),
        "pattern" => value.as_str().is_none_or(|text| matches(rule.as_str().expect("a pattern"), text)),
        "items" => value.as_array().is_none_or(|items| items.iter().all(|item| allows(rule, item))),
        "minProperties" => value.as_object().is_none_or(|table| table.len() as u64 >= rule.as_u64().expect("a number")),
        "required" => {
            value.as_object().is_none_or(|table| list(rule).iter().all(|name| table.contains_key(text(name))))
        }
        "dependencies" => value.as_object().is_none_or(|table| {
            map(rule).iter().all(|(name, schema)| !table.contains_key(name) || allows(schema, value))
        }),
        "properties" => value.as_object().is_none_or(|table| {
            map(rule).iter().all(|(name, schema)| table.get(name).is_none_or(|value| allows(schema, value)))
        }),
        "patternProperties" => value.as_object().is_none_or(|table| {
            let keeps = |pattern: &str, schema: &Value| {
                table.iter().all(|(name, value)| !matches(pattern, name) || allows(schema, value))
            };
            map(rule).iter().all(|(pattern, schema)| keeps(pattern, schema))
        }),
        "additionalProperties" => {
            assert_eq!(rule, &Value::Bool(false));
            value.as_object().is_none_or(|table| table.keys().all(|name| is_told(rules, name)))
        }
        _ => panic!("`{keyword}` is no keyword of this test"),
    }
}

/// Whether `properties` or `patternProperties` beside it speak of `name`.
fn is_told(rules: &Map<String, Value>, name: &str) -> bool {
    let named = rules.get("properties").is_some_and(|properties| map(properties).contains_key(name));
    let patterns = rules.get("patternProperties").into_iter().flat_map(map);
    named || patterns.into_iter().any(|(pattern, _)| matches(pattern, name))
}

fn is(name: &str, value: &Value) -> bool {
    match name {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => panic!("`{name}` is no type of this test"),
    }
}

fn types(rule: &Value) -> impl Iterator<Item = &str> {
    rule.as_str().into_iter().chain(rule.as_array().into_iter().flatten().map(text))
}

/// Both are integers, or one of them is a fraction.
fn is_below(one: &Value, other: &Value) -> bool {
    let wide = |value: &Value| value.as_u64().map(i128::from).or(value.as_i64().map(i128::from));
    wide(one).zip(wide(other)).map_or(one.as_f64() < other.as_f64(), |(one, other)| one < other)
}

fn matches(pattern: &str, text: &str) -> bool {
    thread_local!(static COMPILED: RefCell<BTreeMap<String, Regex>> = RefCell::default());
    let compile = || Regex::new(pattern).expect("a pattern");
    COMPILED.with_borrow_mut(|known| known.entry(pattern.to_owned()).or_insert_with(compile).is_match(text))
}

fn list(rule: &Value) -> &Vec<Value> {
    rule.as_array().filter(|list| !list.is_empty()).expect("a list, of something")
}

fn map(rule: &Value) -> &Map<String, Value> {
    rule.as_object().expect("schemas by name")
}

fn text(name: &Value) -> &str {
    name.as_str().expect("a name")
}
