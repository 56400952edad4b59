//! Flow records as Parquet. The only user of the parquet crate.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, ConvertedType, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

use super::table::{Cell, Column, ColumnKind, FlowTable, TableError, cells, columns};
use crate::flow::FlowRecord;

/// Rows of a row group: what is held in memory before it is written.
const ROWS: usize = 16_384;

/// Writes flow records as Parquet, Snappy-compressed, in row groups of 16,384. All columns are required; times are
/// microseconds in UTC.
pub struct ParquetTable<W: Write + Send> {
    writer: SerializedFileWriter<W>,
    columns: Vec<Column>,
    rows: Vec<Vec<Cell>>,
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
        let fields = columns.iter().map(field).collect::<Result<Vec<_>, _>>()?;
        let schema = Type::group_type_builder("flow").with_fields(fields).build()?;
        let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
        let writer = SerializedFileWriter::new(to, Arc::new(schema), Arc::new(properties))?;
        Ok(Self { writer, columns, rows: Vec::with_capacity(ROWS) })
    }

    fn write_group(&mut self) -> Result<(), TableError> {
        if self.rows.is_empty() {
            return Ok(());
        }
        let mut group = self.writer.next_row_group()?;
        for (place, column) in self.columns.iter().enumerate() {
            write_column(&mut group, column.kind, self.rows.iter().map(|row| &row[place]))?;
        }
        group.close()?;
        self.rows.clear();
        Ok(())
    }
}

fn field(column: &Column) -> Result<TypePtr, ParquetError> {
    let builder = |physical| Type::primitive_type_builder(column.name, physical).with_repetition(Repetition::REQUIRED);
    let built = match column.kind {
        ColumnKind::Text => builder(Physical::BYTE_ARRAY).with_logical_type(Some(LogicalType::String)).build()?,
        ColumnKind::Integer => builder(Physical::INT64).build()?,
        ColumnKind::Time => builder(Physical::INT64).with_converted_type(ConvertedType::TIMESTAMP_MICROS).build()?,
        ColumnKind::Number => builder(Physical::DOUBLE).build()?,
    };
    Ok(Arc::new(built))
}

fn write_column<'a, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    kind: ColumnKind,
    column: impl Iterator<Item = &'a Cell>,
) -> Result<(), TableError> {
    let Some(mut writer) = group.next_column()? else { return Ok(()) };
    match kind {
        ColumnKind::Text => {
            let values: Vec<ByteArray> = column.map(text).collect();
            writer.typed::<ByteArrayType>().write_batch(&values, None, None)?;
        }
        ColumnKind::Integer | ColumnKind::Time => {
            let values: Vec<i64> = column.map(integer).collect();
            writer.typed::<Int64Type>().write_batch(&values, None, None)?;
        }
        ColumnKind::Number => {
            let values: Vec<f64> = column.map(number).collect();
            writer.typed::<DoubleType>().write_batch(&values, None, None)?;
        }
    }
    writer.close()?;
    Ok(())
}

fn text(cell: &Cell) -> ByteArray {
    if let Cell::Text(text) = cell { ByteArray::from(text.as_str()) } else { ByteArray::from("") }
}

fn integer(cell: &Cell) -> i64 {
    if let Cell::Integer(value) | Cell::Time(value) = cell { *value } else { 0 }
}

fn number(cell: &Cell) -> f64 {
    if let Cell::Number(value) = cell { *value } else { 0.0 }
}

impl<W: Write + Send> FlowTable for ParquetTable<W> {
    fn write(&mut self, record: &FlowRecord) -> Result<(), TableError> {
        self.rows.push(cells(record));
        if self.rows.len() >= ROWS { self.write_group() } else { Ok(()) }
    }

    fn finish(mut self: Box<Self>) -> Result<(), TableError> {
        self.write_group()?;
        self.writer.close()?;
        Ok(())
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
