use p256::ecdsa::signature::hazmat::PrehashSigner;
use p256::ecdsa::{Signature, SigningKey};

use super::*;
use crate::hash::Sha256Hex;

/// The key of the DSSE protocol document's example.
const D: &str = "d73ec437fd6346e3619c5ebfdfff0f6916804955ad32ac9ac492b0ede1f6ffb7";
const X: &str = "67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238";
const Y: &str = "0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";
/// Its signature, r and s one after the other.
const R: &str = "03726ab101ad56c2763b6c6aac8e487275e2a79193a09dc5f859d9f8ef3c4a3b";
const S: &str = "51eab0c06a369b64a7222537d4887a893dc200ae21060074d57825235b624864";

fn bytes(hex: &str) -> [u8; 32] {
    Sha256Hex::parse(hex).unwrap().to_bytes()
}

fn key_of(d: &str) -> (SigningKey, PublicKey) {
    let key = SigningKey::from_slice(&bytes(d)).unwrap();
    let public = PublicKey::new(*key.verifying_key()).unwrap();
    (key, public)
}

fn signed(key: &SigningKey, payload: &[u8]) -> Vec<u8> {
    let digest = Sha256Hex::of(&pae(PAYLOAD_TYPE, payload)).to_bytes();
    let signature: Signature = key.sign_prehash(&digest).unwrap();
    normal_form(signature.to_der().as_bytes()).unwrap()
}

#[test]
fn the_vector_of_the_dsse_protocol_document_passes() {
    let (payload_type, payload) = ("http://example.com/HelloWorld", b"hello world");
    let encoded = pae(payload_type, payload);
    assert_eq!(encoded, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");

    let (key, public) = key_of(D);
    let point = [&[4], bytes(X).as_slice(), &bytes(Y)].concat();
    assert_eq!(key.verifying_key().to_sec1_point(false).as_bytes(), point);
    let signature = Signature::from_scalars(bytes(R), bytes(S)).unwrap();
    let der = signature.to_der();
    public.verify(payload_type, payload, der.as_bytes()).unwrap();
    // The document signs deterministically, by RFC 6979: so do we.
    let again: Signature = key.sign_prehash(&Sha256Hex::of(&encoded).to_bytes()).unwrap();
    assert_eq!(again, signature);

    for (payload_type, payload) in [
        ("http://example.com/HelloWorld", b"hello World".as_slice()),
        ("http://example.com/Helloworld", b"hello world"),
        ("http://example.com/HelloWorl", b"d 11 hello world"),
    ] {
        let refused = public.verify(payload_type, payload, der.as_bytes());
        assert_eq!(refused, Err(AttestationError::Invalid(public.id())));
    }
}

#[test]
fn pae_counts_bytes() {
    assert_eq!(pae("t", "é".as_bytes()), "DSSEv1 1 t 2 é".as_bytes());
    assert_eq!(pae("", b""), b"DSSEv1 0  0 ");
}

#[test]
fn a_key_is_the_same_in_pem_and_der_and_its_id_is_that_of_its_der() {
    let (_, public) = key_of(D);
    let pem = public.to_pem().unwrap();
    assert!(
        pem.starts_with("-----BEGIN PUBLIC KEY-----\n") && pem.ends_with("-----END PUBLIC KEY-----\n"),
        "{pem}"
    );
    let read = PublicKey::from_pem(&pem).unwrap();
    assert_eq!(read, public);
    assert_eq!(PublicKey::from_pem(&pem.replace('\n', "\r\n")).unwrap(), public);
    // What `openssl dgst -sha256` says of the key in DER.
    assert_eq!(
        public.id().as_str(),
        "f793580060562d6ff075d814ea698c282fcc779b0cde64d79ffc6301df00d14b"
    );
    for text in ["", "-----BEGIN PUBLIC KEY-----\n", &pem[..pem.len() / 2]] {
        assert!(matches!(PublicKey::from_pem(text), Err(AttestationError::Key(_))));
    }
}

#[test]
fn a_signature_has_one_form() {
    let (key, public) = key_of(D);
    let payload = b"{}";
    let low = signed(&key, payload);
    public.verify(PAYLOAD_TYPE, payload, &low).unwrap();

    let (r, s) = Signature::from_der(&low).unwrap().split_scalars();
    let high = Signature::from_scalars(r, -s).unwrap().to_der();
    assert_ne!(high.as_bytes(), low);
    let refused = public.verify(PAYLOAD_TYPE, payload, high.as_bytes());
    assert_eq!(refused, Err(AttestationError::SignatureForm));
    assert_eq!(normal_form(high.as_bytes()).unwrap(), low);

    let longer = [low.as_slice(), &[0]].concat();
    // The length in two bytes, where one is enough.
    let padded = [&[0x30, 0x81], &low[1..]].concat();
    for other in [longer.as_slice(), &padded, b"", &[0x30, 0]] {
        let refused = public.verify(PAYLOAD_TYPE, payload, other);
        assert_eq!(refused, Err(AttestationError::SignatureForm), "{other:?}");
        assert!(normal_form(other).is_err());
    }
}

#[test]
fn no_byte_of_an_envelope_can_be_another() {
    let (key, public) = key_of(D);
    let payload = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;
    let envelope = Envelope::new(payload, &public, &signed(&key, payload));
    let bytes = envelope.render().unwrap();
    assert_eq!(Envelope::parse(&bytes).unwrap(), envelope);
    assert_eq!(envelope.verify(&public).unwrap(), payload);
    let passes = |bytes: &[u8]| Envelope::parse(bytes).is_ok_and(|envelope| envelope.verify(&public).is_ok());
    assert!(passes(&bytes));
    for place in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            assert!(!passes(&flipped), "bit {bit} of byte {place}");
        }
        assert!(!passes(&bytes[..place]), "cut at {place}");
    }
}

#[test]
fn an_envelope_has_one_form() {
    let (key, public) = key_of(D);
    let payload = b"{\"a\":[1]}";
    let envelope = Envelope::new(payload, &public, &signed(&key, payload));
    let text = String::from_utf8(envelope.render().unwrap()).unwrap();
    let signatures = text.split_once("\"signatures\":").unwrap().1.trim_end();
    let one = &signatures[1..signatures.len() - 2];
    for (other, why) in [
        (text.trim_end().to_owned(), "not canonical JSON"),
        (text.replace(":[", ": ["), "not canonical JSON"),
        (text.replace("in-toto+json", "in-toto+xml"), "its payload type"),
        (text.replace(one, ""), "it has 0 signatures"),
        (text.replace(one, &format!("{one},{one}")), "it has 2 signatures"),
        (text.replace("\"payload\"", "\"cert\":1,\"payload\""), "unknown field"),
        (text.replace("eyJhIjpbMV19", "eyJhIjpbMV1="), "payload is not base64"),
        (text.replace("eyJhIjpbMV19", "eyJhIjpbMV1-"), "payload is not base64"),
    ] {
        let error = Envelope::parse(other.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(why), "{other}: {error}");
    }
}

#[test]
fn another_key_verifies_nothing() {
    let (key, public) = key_of(D);
    let (_, other) = key_of(X);
    let payload = b"{}";
    let envelope = Envelope::new(payload, &public, &signed(&key, payload));
    let refused = envelope.verify(&other).unwrap_err();
    assert!(matches!(refused, AttestationError::OtherKey { .. }), "{refused}");
    // The key id is no authority: with the other key's, the signature is still not the other key's.
    let renamed = Envelope::new(payload, &other, &signed(&key, payload));
    assert_eq!(renamed.verify(&other), Err(AttestationError::Invalid(other.id())));
}
