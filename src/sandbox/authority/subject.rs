//! The name in a certificate: as much of DER (X.690) as it takes to find the subject's common name.

/// DER's tags of what is on the way there.
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const OBJECT_IDENTIFIER: u8 = 0x06;
/// 2.5.4.3, `id-at-commonName`.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

/// The common name of a certificate's subject. None where it has none, or isn't a certificate.
pub(crate) fn common_name(certificate: &[u8]) -> Option<String> {
    let (_, certificate, _) = element(certificate)?;
    let (_, mut rest, _) = element(certificate)?;
    if rest.first() == Some(&VERSION) {
        rest = element(rest)?.2;
    }
    // The serial number, the algorithm, the issuer, how long it holds.
    for _ in 0..4 {
        rest = element(rest)?.2;
    }
    let (SEQUENCE, mut names, _) = element(rest)? else { return None };
    while !names.is_empty() {
        let (_, set, after) = element(names)?;
        names = after;
        let (SEQUENCE, pair, _) = element(set)? else { return None };
        let (OBJECT_IDENTIFIER, kind, value) = element(pair)? else { return None };
        if kind == COMMON_NAME {
            return String::from_utf8(element(value)?.1.to_vec()).ok();
        }
    }
    None
}

/// The first element of some DER: its tag, what is in it, and what comes after it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = if length < 0x80 {
        (usize::from(length), rest)
    } else {
        let bytes = usize::from(length & 0x7f);
        let digits = rest.get(..bytes).filter(|digits| digits.len() <= 4)?;
        (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), &rest[bytes..])
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair};

    use super::common_name;

    #[test]
    fn the_common_name_is_found_behind_other_names() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters.distinguished_name.push(DnType::OrganizationName, "o".repeat(200));
        parameters.distinguished_name.push(DnType::CommonName, "Zoë");
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(common_name(certificate.der()).as_deref(), Some("Zoë"));
        for end in 0..certificate.der().len() - 1 {
            assert_eq!(common_name(&certificate.der()[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn a_subject_without_one_has_none() {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        let certificate = parameters.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(common_name(certificate.der()), None);
    }
}
