/*
 * tls.c
 *	  TLS by OpenSSL, on the sockets of connections.
 *
 * With a certificate every connection speaks TLS.  With a certificate authority
 * for clients as well each of them must show a certificate, and acts as the
 * database role that its common name says; it may do without if an API key is
 * asked for instead.  The files are read at each reload;
 * connections that are open keep what they have.
 */
#include "postgres.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/guc.h"
#include "frontend/frontend.h"

static SSL_CTX *context = NULL; /* of new connections; NULL: no TLS */

/* gRPC needs HTTP/2; who offers other protocols only is refused. */
static int
select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
				const unsigned char *in, unsigned int in_len, void *arg)
{
	static const unsigned char h2[] = {2, 'h', '2'};
	unsigned char *found;

	if (SSL_select_next_proto(&found, out_len, h2, sizeof(h2), in, in_len) !=
		OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = found;
	return SSL_TLSEXT_ERR_OK;
}

static const char *
last_error(void)
{
	unsigned long code = ERR_get_error();

	return code != 0 ? ERR_reason_error_string(code) : "unknown error";
}

/* Reads the files into a new context; what is wrong, or NULL. */
static const char *
fill(SSL_CTX *ctx)
{
	SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
	if (SSL_CTX_use_certificate_chain_file(ctx, guc_grpc_ssl_cert_file) != 1)
		return psprintf("could not load certificate \"%s\": %s", guc_grpc_ssl_cert_file,
						last_error());
	if (SSL_CTX_use_PrivateKey_file(ctx, guc_grpc_ssl_key_file, SSL_FILETYPE_PEM) != 1 ||
		SSL_CTX_check_private_key(ctx) != 1)
		return psprintf("could not load private key \"%s\": %s", guc_grpc_ssl_key_file,
						last_error());
	if (!tls_knows_clients())
		return NULL;
	if (SSL_CTX_load_verify_locations(ctx, guc_grpc_ssl_ca_file, NULL) != 1)
		return psprintf("could not load certificate authority \"%s\": %s", guc_grpc_ssl_ca_file,
						last_error());
	SSL_CTX_set_client_CA_list(ctx, SSL_load_client_CA_file(guc_grpc_ssl_ca_file));
	SSL_CTX_set_verify(
		ctx, SSL_VERIFY_PEER | (guc_grpc_api_keys ? 0 : SSL_VERIFY_FAIL_IF_NO_PEER_CERT), NULL);
	return NULL;
}

/* tls_protects -- is what is said encrypted? */
bool
tls_protects(void)
{
	return guc_grpc_ssl_cert_file[0] != '\0';
}

/* tls_knows_clients -- are they known by their certificates? */
bool
tls_knows_clients(void)
{
	return tls_protects() && guc_grpc_ssl_ca_file[0] != '\0';
}

/* tls_load -- takes over the settings; what is wrong, or NULL. */
const char *
tls_load(void)
{
	SSL_CTX *fresh = NULL;
	const char *problem;

	if (guc_grpc_ssl_cert_file[0] != '\0')
	{
		ERR_clear_error();
		fresh = SSL_CTX_new(TLS_server_method());
		problem = fresh ? fill(fresh) : last_error();
		if (problem)
		{
			SSL_CTX_free(fresh);
			return problem;
		}
	}
	SSL_CTX_free(context);
	context = fresh;
	return NULL;
}

/* tls_open -- prepares a new connection; false when there is no memory. */
bool
tls_open(Connection *connection)
{
	connection->must_identify = guc_grpc_api_keys || tls_knows_clients();
	if (context == NULL)
		return true;
	connection->ssl = SSL_new(context);
	if (connection->ssl == NULL || SSL_set_fd(connection->ssl, connection->source.fd) != 1)
		return false;
	SSL_set_accept_state(connection->ssl);
	return true;
}

void
tls_close(Connection *connection)
{
	SSL_free(connection->ssl);
}

/*
 * As recv() and send() leave it: bytes, 0 at the end, or -1 with errno; EAGAIN
 * until the socket can be read, EWANTWRITE until it can be written.
 */
static ssize_t
result_of(Connection *connection, int result)
{
	switch (result > 0 ? SSL_ERROR_NONE : SSL_get_error(connection->ssl, result))
	{
		case SSL_ERROR_NONE:
			return result;
		case SSL_ERROR_ZERO_RETURN:
			return 0;
		case SSL_ERROR_WANT_READ:
			errno = EAGAIN;
			return -1;
		case SSL_ERROR_WANT_WRITE:
			errno = EWANTWRITE;
			return -1;
		default:
			errno = ECONNRESET;
			return -1;
	}
}

ssize_t
tls_recv(Connection *connection, void *data, size_t size)
{
	ERR_clear_error();
	return result_of(connection, SSL_read(connection->ssl, data, size));
}

ssize_t
tls_send(Connection *connection, const void *data, size_t size)
{
	ERR_clear_error();
	return result_of(connection, SSL_write(connection->ssl, data, size));
}

/* tls_pending -- is there something that was read from the socket already? */
bool
tls_pending(const Connection *connection)
{
	return connection->ssl && SSL_pending(connection->ssl) > 0;
}

/*
 * tls_user -- the common name of the client's certificate, in the current
 * context; NULL if it has none that is a name.
 */
char *
tls_user(const Connection *connection)
{
	X509 *certificate = connection->ssl ? SSL_get_peer_certificate(connection->ssl) : NULL;
	char name[NAMEDATALEN];
	int len;

	if (certificate == NULL)
		return NULL;
	len = X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
									sizeof(name));
	X509_free(certificate);
	/* Too long for us, or with a NUL byte inside: somebody else's name. */
	if (len <= 0 || len >= NAMEDATALEN - 1 || strlen(name) != (size_t) len)
		return NULL;
	return pstrdup(name);
}
