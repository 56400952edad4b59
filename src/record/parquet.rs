//! Rows of Parquet as rows of any other table.

use std::borrow::Cow;
use std::fs::File;
use std::path::Path;

use parquet::basic::ConvertedType;
use parquet::file::metadata::RowGroupMetaData;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::statistics::Statistics;
use parquet::record::Field;
use parquet::record::reader::RowIter;

use super::error::Wrong;
use super::format::names_flows;
use super::reader::{Told, table};
use super::row::Header;
use crate::time::Timestamp;

/// Reads a file row by row; pages of its columns are held, one of each.
pub(super) struct Rows {
    rows: RowIter<'static>,
    header: Header,
    number: u64,
}

impl Rows {
    /// Opens a file and sees whether its columns name flows.
    pub(super) fn open(path: &Path) -> Result<Self, String> {
        let file = File::open(path).map_err(|error| error.to_string())?;
        let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
        let fields = reader.metadata().file_metadata().schema_descr().root_schema().get_fields().to_vec();
        let header = Header::new(fields.iter().map(|field| field.name()));
        if !names_flows(&header) {
            let names: Vec<&str> = fields.iter().map(|field| field.name()).take(8).collect();
            return Err(format!("wanted columns with addresses, protocol and start of flows, got {}", names.join(", ")));
        }
        Ok(Self { rows: RowIter::from_file_into(Box::new(reader)), header, number: 0 })
    }

    /// The next row and its number, from 1.
    #[allow(clippy::type_complexity, reason = "used once")]
    pub(super) fn next(&mut self) -> Result<Option<(Result<Told, Wrong>, u64)>, String> {
        let Some(row) = self.rows.next() else { return Ok(None) };
        let row = row.map_err(|error| error.to_string())?;
        self.number += 1;
        let cells = row.get_column_iter().map(|(_, field)| Cow::Owned(text(field))).collect();
        Ok(Some((table(&self.header, cells), self.number)))
    }
}

/// The first and the last beginning of the records of a file, as the statistics at its end tell; nothing where they do not.
///
/// # Errors
/// What cannot be opened or is no Parquet.
pub fn parquet_starts(path: &Path) -> Result<Option<(Timestamp, Timestamp)>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = SerializedFileReader::new(file).map_err(|error| error.to_string())?;
    let about = reader.metadata();
    let columns = about.file_metadata().schema_descr().columns();
    let Some(place) = columns.iter().position(|column| column.name() == "flow_start") else { return Ok(None) };
    if columns.get(place).is_some_and(|column| column.converted_type() != ConvertedType::TIMESTAMP_MICROS) {
        return Ok(None);
    }
    let of_group = |group: &RowGroupMetaData| match group.column(place).statistics()? {
        Statistics::Int64(told) => Some((*told.min_opt()?, *told.max_opt()?)),
        _ => None,
    };
    let spans: Option<Vec<(i64, i64)>> = about.row_groups().iter().map(of_group).collect();
    let time = |micros: i64| Timestamp::from_nanos(micros.saturating_mul(1000));
    let first_and_last = spans.and_then(|spans| {
        let first = spans.iter().map(|(first, _)| *first).min()?;
        // What is told is cut to microseconds.
        Some((time(first), time(spans.iter().map(|(_, last)| *last).max()?.saturating_add(1))))
    });
    Ok(first_and_last)
}

fn text(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Str(text) => text.clone(),
        Field::Bool(yes) => u8::from(*yes).to_string(),
        Field::Double(value) => value.to_string(),
        Field::Float(value) => value.to_string(),
        Field::TimestampMicros(micros) => Timestamp::from_nanos(micros.saturating_mul(1000)).to_string(),
        Field::TimestampMillis(millis) => Timestamp::from_nanos(millis.saturating_mul(1_000_000)).to_string(),
        Field::Bytes(bytes) => String::from_utf8_lossy(bytes.data()).into_owned(),
        other => other.to_string(),
    }
}
