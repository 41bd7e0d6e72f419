"""Time stamps (RFC 3161) for a head of the log: the request for one, and the check of what the authority answered.

Who holds a token proves to anybody that the log had reached this head by the authority's time. The request is
sent by whatever speaks HTTP; nothing here opens a socket. What is stamped is the line that `muniment head` prints,
its end included, so that other programs (`openssl ts`) can check the token as well. Importing this takes the extra
`timestamps`.
"""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

from muniment.content.events import Head
from muniment.errors.content import BadStamp, StampRefused


def stamped_text(head: Head) -> bytes:
    """What a token for a head is about."""
    return f"{head}\n".encode("ascii")


def request_for(head: Head) -> bytes:
    """A request for a token, in DER: what is posted to an authority as `application/timestamp-query`."""
    builder = TimestampRequestBuilder().data(stamped_text(head)).hash_algorithm(HashAlgorithm.SHA256)
    # With the authority's certificate in the answer its root alone is enough to check it in decades.
    return builder.cert_request(cert_request=True).build().as_bytes()


def check_stamp(head: Head, answer: bytes, authority: bytes) -> dt.datetime:
    """The time at which an authority stamped a head; `answer` is what it sent, in DER.

    `authority` holds the certificates that are trusted, in PEM; they have to be valid at the time of the stamp.

    Raises:
        BadStamp: The answer or the certificates cannot be read as such.
        StampRefused: The token is not one of this authority over this head.
    """
    try:
        certificates = x509.load_pem_x509_certificates(authority)
    except ValueError as error:
        raise BadStamp(what="The authority's certificates (PEM)", reason=str(error)) from error
    try:
        response = decode_timestamp_response(answer)
        builder = VerifierBuilder()
        for certificate in certificates:
            builder = builder.add_root_certificate(certificate)
        builder.build().verify_message(response, stamped_text(head))
        return response.tst_info.gen_time.astimezone(dt.UTC)
    except VerificationError as error:
        raise StampRefused(head=head, reason=str(error)) from error
    except ValueError as error:
        raise BadStamp(what="The time stamp (what an RFC 3161 authority answers, in DER)", reason=str(error)) from error
