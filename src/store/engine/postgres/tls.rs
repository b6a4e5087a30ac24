//! What a server's certificate must show.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

/// How far a server is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nobody can listen; who is at the other end is not asked.
    Nothing,
    /// An authority signed its certificate, for whatever name.
    Authority,
    /// An authority signed its certificate for this very name.
    AuthorityAndName,
}

/// The client's side of TLS.
pub(super) fn client(check: Check, roots: Option<&Path>) -> Result<ClientConfig, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = match check {
        Check::Nothing => None,
        Check::Authority | Check::AuthorityAndName => {
            let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(store(roots)?), Arc::clone(&provider));
            Some(verifier.build().map_err(|error| format!("sslrootcert: {error}"))?)
        }
    };
    let verifier = Verifier { chain, any_name: check != Check::AuthorityAndName, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(config)
}

fn store(roots: Option<&Path>) -> Result<RootCertStore, String> {
    let Some(path) = roots else { return Ok(webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()) };
    let unread = |error: &dyn std::fmt::Display| format!("sslrootcert {}: {error}", path.display());
    let mut store = RootCertStore::empty();
    for found in CertificateDer::pem_file_iter(path).map_err(|error| unread(&error))? {
        store.add(found.map_err(|error| unread(&error))?).map_err(|error| unread(&error))?;
    }
    if store.is_empty() { Err(unread(&"there is no certificate in it")) } else { Ok(store) }
}

/// rustls checks everything or nothing; libpq's modes lie between.
#[derive(Debug)]
struct Verifier {
    chain: Option<Arc<WebPkiServerVerifier>>,
    any_name: bool,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let Some(chain) = &self.chain else { return Ok(ServerCertVerified::assertion()) };
        match chain.verify_server_cert(own, between, name, ocsp, now) {
            // The name is looked at last: everything else was found right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        own: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, own, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Why there is no connection, to the last cause, and the mend where the cause is the certificate.
pub(super) fn in_words(error: &tokio_postgres::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(deeper) = cause {
        let told = deeper.to_string();
        if !words.contains(&told) {
            words = format!("{words}: {told}");
        }
        cause = deeper.source();
    }
    if words.contains("UnknownIssuer") {
        words.push_str(" (name the authority that signed it with sslrootcert=FILE in DATABASE_URL)");
    } else if words.contains("not valid for name") {
        words.push_str(" (use the name in the certificate, or sslmode=verify-ca in DATABASE_URL)");
    } else if words.contains("does not support TLS") {
        words.push_str(" (turn TLS on there, or use another sslmode in DATABASE_URL)");
    }
    words
}
