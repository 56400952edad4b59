//! Label files may be compressed, as captures may: told by their first bytes, never by their names.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read};
use std::path::Path;

/// Opens a label file, plain or compressed with gzip or zstd.
///
/// # Errors
/// When it cannot be opened or its first bytes cannot be read. Damage further on shows while it is read.
pub fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::new(File::open(path)?);
    Ok(match file.fill_buf()? {
        [0x1f, 0x8b, ..] => Box::new(flate2::bufread::MultiGzDecoder::new(file)),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Box::new(zstd::Decoder::with_buffer(file)?),
        _ => Box::new(file),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn plain_gzip_and_zstd_give_the_same() {
        let text = b"src_ip,dst_ip,label\n".as_slice();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        for (name, bytes) in [
            ("plain", text.to_vec()),
            ("gzip", gzip.finish().unwrap()),
            ("zstd", zstd::encode_all(text, 1).unwrap()),
            ("empty", Vec::new()),
        ] {
            let path = folder.path().join(name);
            std::fs::write(&path, &bytes).unwrap();
            let mut read = Vec::new();
            open(&path).unwrap().read_to_end(&mut read).unwrap();
            assert_eq!(read, if name == "empty" { b"" } else { text }, "{name}");
        }
    }

    #[test]
    fn a_cut_file_is_an_error() {
        let packed = zstd::encode_all([7u8; 1000].as_slice(), 1).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cut");
        std::fs::write(&path, &packed[..packed.len() - 4]).unwrap();
        assert!(open(&path).unwrap().read_to_end(&mut Vec::new()).is_err());
    }
}
