//! One line as named fields, whatever its format.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value};

use super::error::Wrong;

/// What stands for nothing in a field: unset and empty of Zeek's logs, and what spreadsheets make of nothing.
fn told(text: &str) -> Option<&str> {
    let text = text.trim();
    (!matches!(text, "" | "-" | "(empty)" | "nan" | "NaN" | "null" | "None")).then_some(text)
}

/// Named fields. What is unset or empty is not there.
pub(super) trait Row {
    /// The field of this name; of an event, the member of this path (`flow.start`, `vlan.0`).
    fn text(&self, name: &str) -> Option<Cow<'_, str>>;
    /// The feature of this name.
    fn feature(&self, name: &str) -> Option<Cow<'_, str>>;
    /// What the application said, where the record tells it.
    fn facts(&self) -> Option<Map<String, Value>>;
}

/// A line of JSON.
pub(super) struct JsonRow(pub Map<String, Value>);

impl JsonRow {
    /// Reads a line.
    pub(super) fn read(line: &str) -> Result<Self, Wrong> {
        match serde_json::from_str(line) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Wrong::new("line", "a JSON object", line)),
            Err(error) => Err(Wrong::new("line", "a JSON object", &format!("{error}: {line}"))),
        }
    }

    /// Zeek writes `id.orig_h` as one name; EVE nests.
    fn find(&self, path: &str) -> Option<&Value> {
        self.0.get(path).or_else(|| {
            let mut names = path.split('.');
            let top = self.0.get(names.next()?)?;
            names.try_fold(top, |value, name| match value {
                Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                other => other.get(name),
            })
        })
    }
}

impl Row for JsonRow {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.find(name)? {
            Value::String(text) => told(text).map(Cow::Borrowed),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(yes) => Some(Cow::Borrowed(if *yes { "1" } else { "0" })),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn feature(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.find("auscult.features")?.get(name)? {
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            other => Some(Cow::Owned(other.to_string())),
        }
    }

    fn facts(&self) -> Option<Map<String, Value>> {
        self.find("auscult.facts")?.as_object().cloned()
    }
}

/// Names of columns.
#[derive(Clone, Debug, Default)]
pub(super) struct Header {
    places: HashMap<String, usize>,
    columns: usize,
}

impl Header {
    /// The columns of these names; of two of one name the first counts.
    pub(super) fn new<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut header = Self::default();
        for name in names {
            header.places.entry(name.trim().to_owned()).or_insert(header.columns);
            header.columns += 1;
        }
        header
    }

    /// Is there a column of one of these names?
    pub(super) fn has(&self, names: &[&str]) -> bool {
        names.iter().any(|name| self.places.contains_key(*name))
    }

    /// A row with these cells.
    pub(super) fn row<'a>(&'a self, cells: Vec<Cow<'a, str>>) -> Result<TableRow<'a>, Wrong> {
        if cells.len() == self.columns {
            return Ok(TableRow { header: self, cells });
        }
        Err(Wrong::new("line", "as many fields as the header has", &format!("{} fields, {} columns", cells.len(), self.columns)))
    }
}

/// A line of a table.
pub(super) struct TableRow<'a> {
    header: &'a Header,
    cells: Vec<Cow<'a, str>>,
}

impl TableRow<'_> {
    fn cell(&self, name: &str) -> Option<&str> {
        let place = self.header.places.get(name)?;
        self.cells.get(*place).and_then(|cell| told(cell))
    }
}

impl Row for TableRow<'_> {
    /// A table of events names its columns by the path with `_` for `.`.
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        let flat = || if name.contains('.') { self.cell(&name.replace('.', "_")) } else { None };
        self.cell(name).or_else(flat).map(Cow::Borrowed)
    }

    fn feature(&self, name: &str) -> Option<Cow<'_, str>> {
        self.cell(name).map(Cow::Borrowed)
    }

    fn facts(&self) -> Option<Map<String, Value>> {
        serde_json::from_str(self.cell("auscult_facts")?).ok()
    }
}

/// The cells of a line of comma-separated values: quotes, doubled quotes (RFC 4180); a record is one line.
pub(super) fn split_csv(line: &str) -> Result<Vec<Cow<'_, str>>, Wrong> {
    let mut cells = Vec::new();
    let mut rest = line;
    loop {
        let (cell, behind) = match rest.strip_prefix('"') {
            Some(quoted) => {
                quoted_cell(quoted).ok_or_else(|| Wrong::new("line", "a closing quote before the end of the line", rest))?
            }
            None => rest.find(',').map_or((Cow::Borrowed(rest), ""), |at| (Cow::Borrowed(&rest[..at]), &rest[at..])),
        };
        cells.push(cell);
        match behind.strip_prefix(',') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Ok(cells),
            None => return Err(Wrong::new("line", "a comma behind a quoted field", behind)),
        }
    }
}

/// The text up to the closing quote, and what is behind that.
fn quoted_cell(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let mut from = 0;
    loop {
        let end = from + text.get(from..)?.find('"')?;
        match text.get(end + 1..)? {
            behind if behind.starts_with('"') => from = end + 2,
            behind => {
                let inside = text.get(..end)?;
                let cell = if inside.contains('"') { Cow::Owned(inside.replace("\"\"", "\"")) } else { Cow::Borrowed(inside) };
                return Some((cell, behind));
            }
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A row of an object with these members.
    pub fn row(fields: &[(&str, &str)]) -> JsonRow {
        JsonRow(fields.iter().map(|&(name, text)| (name.to_owned(), Value::from(text))).collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_found_flat_and_nested() {
        let row = JsonRow::read(r#"{"id.orig_h":"10.0.0.1","flow":{"age":3,"alerted":false},"vlan":[7],"uid":"-","ts":1.5e9}"#)
            .unwrap();
        let text = |name: &str| row.text(name).map(Cow::into_owned);
        assert_eq!(text("id.orig_h").as_deref(), Some("10.0.0.1"));
        assert_eq!(
            (text("flow.age").as_deref(), text("flow.alerted").as_deref(), text("vlan.0").as_deref()),
            (Some("3"), Some("0"), Some("7"))
        );
        assert_eq!((text("uid"), text("flow"), text("vlan.1"), text("flow.age.x")), (None, None, None, None));
    }

    #[test]
    fn a_table_names_paths_with_underscores() {
        let header = Header::new(["flow_start", "src_ip", "src_ip", "auscult_facts"].into_iter());
        let cells = split_csv(r#"7,10.0.0.1,no,"{""sni"":""a,b""}""#).unwrap();
        let row = header.row(cells).unwrap();
        assert_eq!((row.text("flow.start").as_deref(), row.text("src_ip").as_deref()), (Some("7"), Some("10.0.0.1")));
        assert_eq!(row.facts().unwrap()["sni"], "a,b");
        assert!(header.row(vec!["1".into()]).is_err());
    }

    #[test]
    fn quotes_must_close_and_be_followed_by_a_comma() {
        assert!(split_csv(r#"a,"b"#).is_err() && split_csv(r#""a"b,c"#).is_err());
        assert_eq!(split_csv("").unwrap(), [""]);
        assert_eq!(split_csv("a,").unwrap(), ["a", ""]);
    }

    proptest! {
        #[test]
        fn what_is_quoted_comes_back(cells in prop::collection::vec("[a-c,\" ]{0,6}", 1..5)) {
            let quote = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let line = cells.iter().map(quote).collect::<Vec<_>>().join(",");
            prop_assert_eq!(split_csv(&line).unwrap(), cells);
        }
    }
}
