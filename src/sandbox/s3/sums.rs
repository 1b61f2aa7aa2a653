//! Checksums that S3 keeps with an object, in the algorithm that the uploader chose.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::TrailingHeaders;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum, Crc32, Crc32c, Crc64Nvme, Sha1, Sha256};
use serde::{Deserialize, Serialize};

use crate::sandbox::call::Refusal;

/// An algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Algorithm {
    Crc32,
    Crc32c,
    Crc64Nvme,
    Sha1,
    Sha256,
}

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme, Algorithm::Sha1, Algorithm::Sha256];

impl Algorithm {
    /// As S3 writes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
        }
    }

    /// The one of that name, in any case.
    pub(super) fn named(name: &str) -> Option<Self> {
        ALGORITHMS.into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }
}

/// A checksum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sum {
    pub(super) algorithm: Algorithm,
    /// Base64; of a composite one, a hyphen and the number of parts follow.
    pub(super) value: String,
}

impl Sum {
    /// `COMPOSITE` where it is the checksum of the parts' checksums.
    pub(super) fn kind(&self) -> &'static str {
        if self.value.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" }
    }

    /// The checksum of an object that was uploaded in parts. CRC64NVME is only ever one of the whole object, and can't
    /// be had from those of the parts without its contents: such an object has none.
    pub(super) fn composite(parts: &[Option<Self>]) -> Option<Self> {
        let first = parts.first()?.as_ref()?;
        if first.algorithm == Algorithm::Crc64Nvme {
            return None;
        }
        let mut hasher = Hasher::new(first.algorithm);
        for part in parts {
            let part = part.as_ref().filter(|part| part.algorithm == first.algorithm)?;
            hasher.update(&STANDARD.decode(&part.value).ok()?);
        }
        let whole = hasher.finish();
        Some(Self { value: format!("{}-{}", whole.value, parts.len()), ..whole })
    }
}

/// The value of a checksum for the field of one algorithm.
pub(super) fn value_of(sum: Option<&Sum>, algorithm: Algorithm) -> Option<String> {
    sum.filter(|sum| sum.algorithm == algorithm).map(|sum| sum.value.clone())
}

/// Makes an output of S3 that has the five checksum fields, with that of `$sum` filled in.
macro_rules! with_sum {
    ($sum:expr, $output:ident { $($fields:tt)* }) => {{
        let sum: Option<&$crate::sandbox::s3::sums::Sum> = $sum;
        let of = |algorithm| $crate::sandbox::s3::sums::value_of(sum, algorithm);
        s3s::dto::$output {
            checksum_crc32: of($crate::sandbox::s3::sums::Algorithm::Crc32),
            checksum_crc32c: of($crate::sandbox::s3::sums::Algorithm::Crc32c),
            checksum_crc64nvme: of($crate::sandbox::s3::sums::Algorithm::Crc64Nvme),
            checksum_sha1: of($crate::sandbox::s3::sums::Algorithm::Sha1),
            checksum_sha256: of($crate::sandbox::s3::sums::Algorithm::Sha256),
            $($fields)*
        }
    }};
}
pub(super) use with_sum;

/// The checksum that an input of S3 carries in its five fields.
macro_rules! declared_sum {
    ($input:expr) => {{
        use $crate::sandbox::s3::sums::{Algorithm, Sum};
        let fields = [
            (Algorithm::Crc32, &$input.checksum_crc32),
            (Algorithm::Crc32c, &$input.checksum_crc32c),
            (Algorithm::Crc64Nvme, &$input.checksum_crc64nvme),
            (Algorithm::Sha1, &$input.checksum_sha1),
            (Algorithm::Sha256, &$input.checksum_sha256),
        ];
        fields
            .into_iter()
            .find_map(|(algorithm, value)| value.as_ref().map(|value| Sum { algorithm, value: value.clone() }))
    }};
}
pub(super) use declared_sum;

/// What an uploader says the checksum is: before the body, or after it in a trailer.
pub(super) struct Claimed {
    before: Option<Sum>,
    /// The algorithm that the `x-amz-trailer` header announces.
    after: Option<Algorithm>,
}

impl Claimed {
    pub(super) fn new(declared: Option<Sum>, headers: &HeaderMap) -> Self {
        let trailer = headers.get("x-amz-trailer").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let names = trailer.split(',').filter_map(|name| name.trim().strip_prefix("x-amz-checksum-"));
        Self { before: declared, after: names.filter_map(Algorithm::named).next() }
    }

    /// The algorithm to hash the body with.
    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        self.before.as_ref().map(|sum| sum.algorithm).or(self.after)
    }

    /// Compares with what the body hashes to, once it was read.
    ///
    /// # Errors
    /// `BadDigest` where they differ.
    pub(super) fn check(&self, found: Option<&Sum>, trailers: Option<&TrailingHeaders>) -> Result<(), Refusal> {
        let Some(found) = found else { return Ok(()) };
        let name = format!("x-amz-checksum-{}", found.algorithm.name().to_ascii_lowercase());
        let trailing = || {
            let read =
                |headers: &HeaderMap| headers.get(&name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            trailers.and_then(|trailers| trailers.read(read)).flatten()
        };
        let expected = self.before.as_ref().map(|sum| sum.value.clone()).or_else(trailing);
        if expected.as_ref() == Some(&found.value) {
            return Ok(());
        }
        let message = format!("The {} you specified did not match the calculated checksum.", found.algorithm.name());
        Err(Refusal::new(400, "BadDigest", message))
    }
}

/// Hashes with one algorithm.
pub(super) struct Hasher {
    algorithm: Algorithm,
    hasher: ChecksumHasher,
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        let mut hasher = ChecksumHasher::default();
        match algorithm {
            Algorithm::Crc32 => hasher.crc32 = Some(Crc32::new()),
            Algorithm::Crc32c => hasher.crc32c = Some(Crc32c::new()),
            Algorithm::Crc64Nvme => hasher.crc64nvme = Some(Crc64Nvme::new()),
            Algorithm::Sha1 => hasher.sha1 = Some(Sha1::new()),
            Algorithm::Sha256 => hasher.sha256 = Some(Sha256::new()),
        }
        Self { algorithm, hasher }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    pub(super) fn finish(self) -> Sum {
        let sums = self.hasher.finalize();
        let value = match self.algorithm {
            Algorithm::Crc32 => sums.checksum_crc32,
            Algorithm::Crc32c => sums.checksum_crc32c,
            Algorithm::Crc64Nvme => sums.checksum_crc64nvme,
            Algorithm::Sha1 => sums.checksum_sha1,
            Algorithm::Sha256 => sums.checksum_sha256,
        };
        Sum { algorithm: self.algorithm, value: value.unwrap_or_default() }
    }
}

/// Compares a `Content-MD5` header with the MD5 of the body.
///
/// # Errors
/// `InvalidDigest` where it isn't one, `BadDigest` where they differ.
pub(super) fn check_md5(header: Option<&str>, found: [u8; 16]) -> Result<(), Refusal> {
    let Some(header) = header else { return Ok(()) };
    match STANDARD.decode(header) {
        Ok(expected) if expected == found => Ok(()),
        Ok(expected) if expected.len() == found.len() => {
            let message = "The Content-MD5 you specified did not match what we received.";
            Err(Refusal::new(400, "BadDigest", message))
        }
        _ => Err(Refusal::new(400, "InvalidDigest", "The Content-MD5 you specified was invalid.")),
    }
}
