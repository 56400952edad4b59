//! `docs/facts.md` names every field of `auscult.facts`: it is written from the types themselves.
//!
//! `AUSCULT_GOLDEN=write cargo test --test library facts_documented` writes it anew.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use auscult::app::App;
use syn::punctuated::Punctuated;
use syn::{Attribute, Expr, ExprLit, Field, GenericArgument, Item, ItemStruct, Lit, Meta, PathArguments, Token, Type};

const HEAD: &str = "\
# Facts of applications

Written from the types in `src/app` by a test (`AUSCULT_GOLDEN=write cargo test --test library facts_documented`), which also fails when the two differ.

A flow whose application was recognised by content carries what its envelope said as `auscult.facts`. What was not told is left out: empty text, empty lists, `false` and counts of 0. Nothing here is content; `tests/library/app_privacy.rs` holds that.
";

/// All structures of the application layer by name.
fn structures(folder: &Path, found: &mut HashMap<String, ItemStruct>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            structures(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = syn::parse_file(&fs::read_to_string(&path).unwrap()).unwrap();
            found.extend(file.items.into_iter().filter_map(|item| match item {
                Item::Struct(item) => Some((item.ident.to_string(), item)),
                _ => None,
            }));
        }
    }
}

/// Types of facts and the applications that have them, as the table in `facts.rs` says.
fn table(source: &str) -> Vec<(String, Vec<&'static str>)> {
    let entry = |line: &str| {
        let (kind, apps) = line.trim().strip_suffix(',')?.split_once(" of ")?;
        let kind = kind.split_once('(')?.1.trim_end_matches([')', '>']).trim_start_matches("Box<");
        let name = |variant: &str| App::ALL.iter().find(|app| format!("{app:?}") == variant).unwrap().name();
        Some((kind.to_owned(), apps.split('|').map(|app| name(app.trim())).collect()))
    };
    source.lines().skip_while(|line| *line != "facts! {").filter_map(entry).collect()
}

fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    });
    lines.collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The values of a type's or field's `serde` attributes by their names.
fn serde(attributes: &[Attribute]) -> HashMap<String, String> {
    let lists = attributes.iter().filter(|attribute| attribute.path().is_ident("serde"));
    let metas = lists.flat_map(|list| list.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).unwrap());
    let pair = |meta: Meta| match meta {
        Meta::NameValue(pair) => match pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some((pair.path.get_ident()?.to_string(), text.value())),
            _ => None,
        },
        other => Some((other.path().get_ident()?.to_string(), String::new())),
    };
    metas.filter_map(pair).collect()
}

/// A type's name without `Option`, `Box` and `Vec`, and whether it is a list.
fn kind(of: &Type) -> (String, bool) {
    match of {
        Type::Reference(reference) => kind(&reference.elem),
        Type::Array(array) => (kind(&array.elem).0, true),
        Type::Slice(slice) => (kind(&slice.elem).0, true),
        Type::Path(path) => {
            let last = path.path.segments.last().unwrap();
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(list) => list.args.iter().find_map(|arg| match arg {
                    GenericArgument::Type(inner) => Some(inner),
                    _ => None,
                }),
                _ => None,
            };
            match (last.ident.to_string().as_str(), inner) {
                ("Option" | "Box", Some(inner)) => kind(inner),
                ("Vec", Some(inner)) => (kind(inner).0, true),
                (name, _) => (name.to_owned(), false),
            }
        }
        Type::Tuple(_) => ("pair".to_owned(), false),
        _ => panic!("a field of a kind that this page does not know"),
    }
}

fn derives_serialize(item: &ItemStruct) -> bool {
    let derives = item.attrs.iter().filter(|attribute| attribute.path().is_ident("derive"));
    derives
        .flat_map(|list| list.parse_args_with(Punctuated::<syn::Path, Token![,]>::parse_terminated).unwrap())
        .any(|path| path.is_ident("Serialize"))
}

struct Page<'a> {
    structures: &'a HashMap<String, ItemStruct>,
    text: String,
    fields: usize,
}

impl Page<'_> {
    fn fields(&mut self, of: &ItemStruct, prefix: &str) {
        let upper = serde(&of.attrs).get("rename_all").is_some_and(|case| case == "UPPERCASE");
        for field in &of.fields {
            self.field(field, prefix, upper);
        }
    }

    fn field(&mut self, field: &Field, prefix: &str, upper: bool) {
        let serde = serde(&field.attrs);
        if serde.contains_key("skip") {
            return;
        }
        let own = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        let own = if upper { own.to_uppercase() } else { own };
        let name = format!("{prefix}{}", serde.get("rename").unwrap_or(&own));
        let (inner, is_list) = kind(&field.ty);
        let structures = self.structures;
        let inner_struct = structures.get(&inner).filter(|_| !serde.contains_key("serialize_with"));
        if let Some(item) = inner_struct.filter(|item| self::serde(&item.attrs).contains_key("transparent")) {
            let _ = writeln!(self.text, "| `{name}` | object | {} Its fields are those of `tls`. |", doc(&field.attrs));
            assert_eq!(item.ident, "StartTls", "a transparent type that this page does not know");
            self.fields += 1;
            return;
        }
        if let Some(item) = inner_struct.filter(|item| derives_serialize(item)) {
            if serde.contains_key("flatten") {
                self.fields(item, prefix);
            } else {
                self.fields(item, &format!("{name}{}.", if is_list { "[]" } else { "" }));
            }
            return;
        }
        let what = match (inner.as_str(), serde.get("serialize_with").map(String::as_str)) {
            (_, Some(with)) if with.starts_with("by_") => "object of counts",
            (_, Some(_)) => "text",
            ("bool", _) => "true",
            ("str" | "String", _) => "text",
            ("Distinct" | "u8" | "u16" | "u32" | "u64" | "i8" | "i16" | "i32" | "i64" | "f32" | "f64" | "usize", _) => "number",
            ("ModbusUnits", _) => "object of counts",
            _ => "text",
        };
        let list = if is_list && what != "object of counts" { "list of " } else { "" };
        let _ = writeln!(self.text, "| `{name}` | {list}{what} | {} |", doc(&field.attrs));
        self.fields += 1;
    }
}

#[test]
fn every_field_is_documented() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut found = HashMap::new();
    structures(&root.join("src/app"), &mut found);
    let table = table(&fs::read_to_string(root.join("src/app/facts.rs")).unwrap());
    let mut page = Page { structures: &found, text: HEAD.to_owned(), fields: 0 };
    let mut sections: Vec<_> = table.iter().map(|(kind, apps)| (apps.join("`, `"), kind)).collect();
    sections.sort();
    for (apps, kind) in sections {
        let item = &found[kind];
        let _ = write!(page.text, "\n## `{apps}`\n\n{}\n\n| field | kind | what |\n| --- | --- | --- |\n", doc(&item.attrs));
        page.fields(item, "");
    }
    assert!(table.len() > 30 && page.fields > 300, "{} applications, {} fields", table.len(), page.fields);
    let path = root.join("docs/facts.md");
    if std::env::var_os("AUSCULT_GOLDEN").is_some_and(|value| value == "write") {
        fs::write(&path, &page.text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    for (place, (kept, made)) in kept.lines().zip(page.text.lines()).enumerate() {
        assert_eq!(
            kept,
            made,
            "docs/facts.md, line {}: written by AUSCULT_GOLDEN=write cargo test --test library facts_documented",
            place + 1
        );
    }
    assert_eq!(kept.len(), page.text.len(), "docs/facts.md is not whole");
}
