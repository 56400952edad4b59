//! Flow records as Parquet. The only user of the parquet crate.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use parquet::schema::types::{Type, TypePtr};

use super::eve::rounded;
use super::table::{Cell, Column, ColumnKind, FlowTable, TableError, cells, columns};
use crate::flow::FlowRecord;

/// Rows of a row group: what is held in memory before it is written.
const ROWS: usize = 16_384;

/// The key of a file's metadata that holds [`PARQUET_SCHEMA_VERSION`].
pub const PARQUET_SCHEMA_KEY: &str = "auscult.flow_schema";
/// Raised with every change of the columns: one that was added, renamed, moved or means something else.
pub const PARQUET_SCHEMA_VERSION: u32 = 4;

/// What a judge found of a flow; without a value where nobody judged it.
const JUDGED: [Column; 2] =
    [Column { name: "auscult_bits", kind: ColumnKind::Number }, Column { name: "auscult_behaviour", kind: ColumnKind::Text }];

/// Writes flow records as Parquet, Snappy-compressed, in row groups of 16,384 (held in memory, some 1 kB a row). The columns of
/// [`columns`] are required; behind them stand `auscult_bits` and `auscult_behaviour`, null where a flow was not judged. Times are
/// microseconds in UTC. The metadata of the file say which version of the columns it has ([`PARQUET_SCHEMA_KEY`]).
pub struct ParquetTable<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Values>,
    bits: Vec<f64>,
    behaviours: Vec<ByteArray>,
    /// For each row that is held 1 where it was judged, else 0.
    judged: Vec<i16>,
}

/// Values of a column that are held.
enum Values {
    Text(Vec<ByteArray>),
    Integer(Vec<i64>),
    Number(Vec<f64>),
}

impl From<ParquetError> for TableError {
    fn from(error: ParquetError) -> Self {
        Self::Parquet(error.to_string())
    }
}

impl<W: Write + Send> ParquetTable<W> {
    /// Writes the file's beginning.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn new(to: W) -> Result<Self, TableError> {
        let columns = columns();
        let required = columns.iter().map(|column| field(column, Repetition::REQUIRED));
        let optional = JUDGED.iter().map(|column| field(column, Repetition::OPTIONAL));
        let fields = required.chain(optional).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("flow").with_fields(fields).build()?;
        let version = KeyValue::new(PARQUET_SCHEMA_KEY.to_owned(), PARQUET_SCHEMA_VERSION.to_string());
        let properties =
            WriterProperties::builder().set_compression(Compression::SNAPPY).set_key_value_metadata(Some(vec![version]));
        let writer = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties.build()))?;
        let columns = columns.iter().map(|column| Values::of(column.kind)).collect();
        Ok(Self { writer, columns, bits: Vec::new(), behaviours: Vec::new(), judged: Vec::new() })
    }

    /// Adds a record; `judged` is (bits, behaviour).
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn add(&mut self, record: &FlowRecord, judged: Option<(f64, &str)>) -> Result<(), TableError> {
        self.columns.iter_mut().zip(cells(record)).for_each(|(values, cell)| values.push(cell));
        self.judged.push(judged.is_some().into());
        if let Some((bits, behaviour)) = judged {
            self.bits.push(rounded(bits));
            self.behaviours.push(ByteArray::from(behaviour));
        }
        if self.judged.len() >= ROWS { self.write_group() } else { Ok(()) }
    }

    /// Bytes of the row groups that were written.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.writer.bytes_written() as u64
    }

    /// What it is written to.
    pub fn target_mut(&mut self) -> &mut W {
        self.writer.inner_mut()
    }

    /// Writes what is left and the end of the file, and gives back what it was written to.
    ///
    /// # Errors
    /// When the target cannot be written.
    pub fn into_target(mut self) -> Result<W, TableError> {
        self.write_group()?;
        Ok(self.writer.into_inner()?)
    }

    fn write_group(&mut self) -> Result<(), TableError> {
        if self.judged.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        let mut next = |write: &mut dyn FnMut(&mut SerializedColumnWriter<'_>) -> Result<(), ParquetError>| {
            let Some(mut column) = group.next_column()? else { return Ok(()) };
            write(&mut column)?;
            column.close()
        };
        for values in &mut self.columns {
            match values {
                Values::Text(values) => next(&mut |to| write::<ByteArrayType>(to, values, None))?,
                Values::Integer(values) => next(&mut |to| write::<Int64Type>(to, values, None))?,
                Values::Number(values) => next(&mut |to| write::<DoubleType>(to, values, None))?,
            }
        }
        let judged = Some(self.judged.as_slice());
        next(&mut |to| write::<DoubleType>(to, &mut self.bits, judged))?;
        next(&mut |to| write::<ByteArrayType>(to, &mut self.behaviours, judged))?;
        group.close()?;
        self.judged.clear();
        Ok(())
    }
}

fn field(column: &Column, repetition: Repetition) -> Result<TypePtr, ParquetError> {
    let builder = |physical| Type::primitive_type_builder(column.name, physical).with_repetition(repetition);
    let built = match column.kind {
        ColumnKind::Text => builder(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()?,
        ColumnKind::Integer => builder(Physical::INT64).build()?,
        ColumnKind::Time => builder(Physical::INT64).with_converted_type(ConvertedType::TIMESTAMP_MICROS).build()?,
        ColumnKind::Number => builder(Physical::DOUBLE).build()?,
    };
    Ok(Arc::new(built))
}

/// Writes the values that are held, and holds them no longer. Of an optional column `defined` says for each row whether it has one.
fn write<T: DataType>(
    to: &mut SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    defined: Option<&[i16]>,
) -> Result<(), ParquetError> {
    to.typed::<T>().write_batch(values, defined, None)?;
    values.clear();
    Ok(())
}

impl Values {
    const fn of(kind: ColumnKind) -> Self {
        match kind {
            ColumnKind::Text => Self::Text(Vec::new()),
            ColumnKind::Integer | ColumnKind::Time => Self::Integer(Vec::new()),
            ColumnKind::Number => Self::Number(Vec::new()),
        }
    }

    /// A cell of another kind than the column's, which there is not, would leave it without a value and the file unwritten.
    fn push(&mut self, cell: Cell) {
        match (self, cell) {
            (Self::Text(values), Cell::Text(text)) => values.push(ByteArray::from(text.into_owned().into_bytes())),
            (Self::Integer(values), Cell::Integer(value) | Cell::Time(value)) => values.push(value),
            (Self::Number(values), Cell::Number(value)) => values.push(value),
            _ => {}
        }
    }
}

impl<W: Write + Send> FlowTable for ParquetTable<W> {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        self.add(record, None)
    }

    fn finish(self: Box<Self>) -> Result<(), TableError> {
        self.into_target().map(drop)
    }
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader as _, SerializedFileReader};

    use super::super::flow_event::tests::record;
    use super::*;
    use crate::flow::testing::packet;

    /// A file of so many rows; gives rows and row groups as read back.
    fn written(rows: usize) -> (i64, usize) {
        let file = tempfile::tempfile().unwrap();
        let mut table = Box::new(ParquetTable::new(file.try_clone().unwrap()).unwrap());
        let record = record(&[packet(0, 1, 4000, 2, 53, 17)]);
        (0..rows).for_each(|_| table.write(&record).unwrap());
        (table as Box<dyn FlowTable>).finish().unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        (reader.metadata().file_metadata().num_rows(), reader.num_row_groups())
    }

    #[test]
    fn groups_are_bounded_and_nothing_is_lost_between_them() {
        assert_eq!(written(0), (0, 0));
        assert_eq!(written(ROWS), (ROWS as i64, 1));
        assert_eq!(written(ROWS + 1), (ROWS as i64 + 1, 2));
    }
}
