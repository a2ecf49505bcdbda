#include "gateway/server_conn.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

static int refuse(struct error *err, const char *what, const char *path)
{
    unsigned long code = ERR_get_error();
    const char *why = ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);

    ERR_clear_error();
    return error_set(err, "%s %s: %s", what, path, why != NULL ? why : "unknown");
}

static int fill(SSL_CTX *context, const struct server_options *options, struct error *err)
{
    static const h2o_iovec_t only_http1[] = {{(char *)"http/1.1", 8}, {NULL, 0}};

    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_session_id_context(context, (const unsigned char *)"leadline", 8);
    if (SSL_CTX_use_certificate_chain_file(context, options->tls_cert) != 1)
        return refuse(err, "cannot read the certificate", options->tls_cert);
    if (SSL_CTX_use_PrivateKey_file(context, options->tls_key, SSL_FILETYPE_PEM) != 1)
        return refuse(err, "cannot read the key", options->tls_key);
    if (SSL_CTX_check_private_key(context) != 1)
        return refuse(err, "the key does not fit the certificate", options->tls_cert);
    h2o_ssl_register_alpn_protocols(context, options->has_http2 ? h2o_alpn_protocols : only_http1);
    return 0;
}

int server_tls(SSL_CTX **context, const struct server_options *options, struct error *err)
{
    *context = NULL;
    if (*options->tls_cert == '\0' && *options->tls_key == '\0')
        return 0;
    if (*options->tls_cert == '\0' || *options->tls_key == '\0')
        return error_set(err, "TLS needs both, tls_cert and tls_key");
    *context = SSL_CTX_new(TLS_server_method());
    if (*context == NULL)
        return refuse(err, "cannot begin", "TLS");
    return fill(*context, options, err);
}
