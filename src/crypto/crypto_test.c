/* SPDX-License-Identifier: Apache-2.0 */
/* base64, digests, secrets, certificates, tokens: each against published values or another implementation (openssl). */
#include "base/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/alloc.h"
#include "crypto/base64.h"
#include "crypto/digest.h"
#include "crypto/jwt.h"
#include "crypto/secret.h"
#include "crypto/test_run.h"
#include "crypto/x509.h"

static const struct {
	const char *plain, *std, *url;
} base64_cases[] = {
	{"", "", ""},
	{"f", "Zg==", "Zg"},
	{"fo", "Zm8=", "Zm8"},
	{"foo", "Zm9v", "Zm9v"},
	{"foob", "Zm9vYg==", "Zm9vYg"},
	{"\xff\xfe\xfd?>", "//79Pz4=", "__79Pz4"},
};

TEST(base64_round_trips_known_values)
{
	for (size_t i = 0; i < ARRAY_LEN(base64_cases); i++) {
		struct buf b CLEANUP_BUF = {0};

		base64_encode(&b, str_of(base64_cases[i].plain));
		EXPECT_STR(buf_str(&b), base64_cases[i].std);
		buf_clear(&b);
		assert_int_equal(base64_decode(&b, str_of(base64_cases[i].std)), 0);
		EXPECT_STR(buf_str(&b), base64_cases[i].plain);
		buf_clear(&b);
		base64url_encode(&b, str_of(base64_cases[i].plain));
		EXPECT_STR(buf_str(&b), base64_cases[i].url);
		buf_clear(&b);
		assert_int_equal(base64url_decode(&b, str_of(base64_cases[i].url)), 0);
		EXPECT_STR(buf_str(&b), base64_cases[i].plain);
	}
}

TEST(base64_refuses_what_is_not_canonical)
{
	static const char *const bad[] = {"Z",	  "Zg", "Zg=",	"Zh==",	  "Zg===", "Z g=",
					  "Zm9=", "=",	"====", "Zm9v\n", "Zm9_",  "AA=A"};
	struct buf b CLEANUP_BUF = {0};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(base64_decode(&b, str_of(bad[i])), ERR_INVALID);
		assert_int_equal(b.n, 0);
	}
	assert_int_equal(base64url_decode(&b, STR("Zg==")), ERR_INVALID);
	assert_int_equal(base64url_decode(&b, STR("Zm9/")), ERR_INVALID);
}

TEST(digests_match_published_values)
{
	struct buf b CLEANUP_BUF = {0};
	struct sha256 h = sha256_of(STR("abc"));

	hex_encode(&b, h.bytes, sizeof(h.bytes));
	EXPECT_STR(buf_str(&b), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* RFC 4231 case 2 */
	h = hmac_sha256(STR("Jefe"), STR("what do ya want for nothing?"));
	buf_clear(&b);
	hex_encode(&b, h.bytes, sizeof(h.bytes));
	EXPECT_STR(buf_str(&b), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST(tokens_differ_and_compare)
{
	struct buf a CLEANUP_BUF = {0};
	struct buf b CLEANUP_SECRET_BUF = {0};

	secret_token(&a, 32);
	secret_token(&b, 32);
	assert_int_equal(a.n, 43);
	assert_false(secret_eq(buf_str(&a), buf_str(&b)));
	assert_true(secret_eq(buf_str(&a), buf_str(&a)));
	assert_false(secret_eq(STR("a"), STR("ab")));
}

TEST(secret_files_are_private_and_replaced_whole)
{
	char dir[] = "/tmp/crypto_test-XXXXXX";
	char path[64];
	struct buf b CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};
	struct stat st;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/key", dir);
	umask(0);
	assert_int_equal(secret_file_write(path, STR("one"), false, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(secret_file_write(path, STR("two"), true, NULL), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(secret_file_read(path, 10, &b, NULL), 0);
	EXPECT_STR(buf_str(&b), "two");
	assert_int_equal(secret_file_read(path, 2, &b, &err), ERR_LIMIT);
	assert_int_equal(secret_file_read("/nowhere/x", 2, &b, &err), ERR_NOT_FOUND);
	assert_int_equal(secret_file_write("/nowhere/x", STR("x"), false, &err), ERR_NOT_FOUND);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(dir), 0); /* nothing is left beside the file */
}

TEST(certificates_say_what_was_asked_for_and_verify)
{
	struct x509_pem ca CLEANUP_X509_PEM = {0};
	struct x509_pem other CLEANUP_X509_PEM = {0};
	struct x509_pem leaf CLEANUP_X509_PEM = {0};
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct x509_info info;
	const struct str names[] = {STR("kubernetes"), STR("*.example.com")};
	const struct str ips[] = {STR("10.96.0.1"), STR("::1")};
	const struct str orgs[] = {STR("system:masters"), STR("a,b/CN=evil")};
	int64_t now = time(NULL);
	const struct x509_opts opts = {.common_name = STR("admin, CN=root"),
				       .organizations = orgs,
				       .n_organizations = 2,
				       .server = true,
				       .client = true,
				       .dns_names = names,
				       .n_dns_names = 2,
				       .ips = ips,
				       .n_ips = 2,
				       .now_s = now,
				       .lifetime_s = 1000};

	assert_int_equal(x509_make_ca(STR("my ca"), now, 5000, &ca, &err), 0);
	assert_int_equal(x509_make_ca(STR("my ca"), now, 5000, &other, &err), 0);
	assert_int_equal(x509_issue(&ca, &opts, &leaf, &err), 0);
	assert_int_equal(x509_read(str_of(leaf.cert), &a, &info, &err), 0);
	EXPECT_STR(info.common_name, "admin, CN=root");
	assert_int_equal(info.n_organizations, 2);
	EXPECT_STR(info.organizations[1], "a,b/CN=evil");
	assert_int_equal(info.n_dns_names, 2);
	EXPECT_STR(info.dns_names[1], "*.example.com");
	assert_int_equal(info.n_ips, 2);
	EXPECT_STR(info.ips[1], "::1");
	assert_int_equal(info.not_before_s, now - 60);
	assert_int_equal(info.not_after_s, now + 1000);
	assert_int_equal(info.serial.n, 32);
	assert_false(info.is_ca);
	assert_int_equal(x509_read(str_of(ca.cert), &a, &info, &err), 0);
	assert_true(info.is_ca);
	assert_int_equal(x509_verify(str_of(leaf.cert), str_of(ca.cert), now, &err), 0);
	assert_int_equal(x509_verify(str_of(leaf.cert), str_of(ca.cert), now + 2000, &err),
			 ERR_DENIED);
	assert_true(str_contains(str_of(err.msg), STR("expired")));
	assert_int_equal(x509_verify(str_of(leaf.cert), str_of(other.cert), now, &err), ERR_DENIED);
	assert_int_equal(x509_check_pair(str_of(leaf.cert), str_of(leaf.key), &err), 0);
	assert_int_equal(x509_check_pair(str_of(leaf.cert), str_of(ca.key), &err), ERR_INVALID);
}

TEST(bad_certificate_texts_and_names_are_refused)
{
	struct x509_pem ca CLEANUP_X509_PEM = {0};
	struct x509_pem leaf CLEANUP_X509_PEM = {0};
	struct arena a CLEANUP_ARENA = {0};
	struct err err CLEANUP_ERR = {0};
	struct x509_info info;
	const struct str ips[] = {STR("not an ip")};

	assert_int_equal(x509_make_ca(STR("ca"), time(NULL), 5000, &ca, &err), 0);
	assert_int_equal(x509_issue(&ca,
				    &(struct x509_opts){.server = true, .ips = ips, .n_ips = 1},
				    &leaf, &err),
			 ERR_INVALID);
	assert_int_equal(x509_read(STR(""), &a, &info, &err), ERR_INVALID);
	assert_int_equal(
		x509_read(STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &a,
			  &info, &err),
		ERR_INVALID);
	assert_int_equal(x509_read(str_sub(str_of(ca.cert), 0, 200), &a, &info, &err), ERR_INVALID);
	assert_int_equal(x509_check_pair(str_of(ca.cert), STR("no key"), &err), ERR_INVALID);
}

static char *public_pem(const char *private_pem)
{
	char path[] = "/tmp/crypto_test-XXXXXX";
	const char *const argv[] = {"openssl", "pkey", "-in", path, "-pubout", NULL};
	struct buf b = {0};
	int fd = mkstemp(path);

	assert_true(fd >= 0 && write(fd, private_pem, strlen(private_pem)) > 0);
	close(fd);
	assert_int_equal(test_run(argv, &b), 0);
	unlink(path);
	return buf_steal(&b);
}

static void check_tokens(const char *pem)
{
	struct jwt_key *key, *pub;
	struct buf token CLEANUP_BUF = {0};
	struct buf claims CLEANUP_BUF = {0};
	struct err err CLEANUP_ERR = {0};
	char *pub_text = public_pem(pem);

	assert_int_equal(jwt_key_load(str_of(pem), &key, &err), 0);
	assert_int_equal(jwt_key_load(str_of(pub_text), &pub, &err), 0);
	assert_true(str_eq(jwt_key_id(key), jwt_key_id(pub)));
	assert_false(jwt_key_can_sign(pub));
	assert_int_equal(jwt_sign(pub, STR("{}"), &token, &err), ERR_UNSUPPORTED);
	assert_int_equal(
		jwt_sign(key, STR("{\"sub\":\"system:serviceaccount:a:b\"}"), &token, &err), 0);
	assert_int_equal(jwt_verify(&pub, 1, buf_str(&token), &claims, &err), 0);
	EXPECT_STR(buf_str(&claims), "{\"sub\":\"system:serviceaccount:a:b\"}");
	/* Any changed character, wherever, makes it invalid. */
	for (size_t i = 0; i < token.n; i++) {
		char was = token.p[i];

		buf_clear(&claims);
		token.p[i] = was == 'A' ? 'B' : 'A';
		assert_int_equal(jwt_verify(&pub, 1, buf_str(&token), &claims, &err),
				 ERR_UNAUTHORIZED);
		token.p[i] = was;
	}
	assert_int_equal(jwt_verify(NULL, 0, buf_str(&token), &claims, &err), ERR_UNAUTHORIZED);
	jwt_key_free(key);
	jwt_key_free(pub);
	mem_free(pub_text);
}

TEST(es256_tokens_verify_and_tampered_ones_do_not)
{
	char *pem;

	assert_int_equal(x509_make_key(&pem, NULL), 0);
	check_tokens(pem);
	mem_free(pem);
}

TEST(rs256_tokens_verify_and_weak_keys_are_refused)
{
	const char *const strong[] = {"openssl",
				      "genpkey",
				      "-quiet",
				      "-algorithm",
				      "RSA",
				      "-pkeyopt",
				      "rsa_keygen_bits:2048",
				      NULL};
	const char *const weak[] = {"openssl",
				    "genpkey",
				    "-quiet",
				    "-algorithm",
				    "RSA",
				    "-pkeyopt",
				    "rsa_keygen_bits:1024",
				    NULL};
	struct buf b CLEANUP_BUF = {0};
	struct jwt_key *key;

	assert_int_equal(test_run(strong, &b), 0);
	check_tokens(buf_cstr(&b));
	buf_clear(&b);
	assert_int_equal(test_run(weak, &b), 0);
	assert_int_equal(jwt_key_load(buf_str(&b), &key, NULL), ERR_UNSUPPORTED);
}

TEST(tokens_that_claim_no_or_another_algorithm_are_refused)
{
	struct jwt_key *key;
	struct buf token CLEANUP_BUF = {0};
	struct buf claims CLEANUP_BUF = {0};
	struct buf big CLEANUP_BUF = {0};
	char *pem;
	static const char *const headers[] = {"{\"alg\":\"none\"}", "{\"alg\":\"HS256\"}"};
	static const char *const shapes[] = {"", ".", "..", "a.b", "a.b.c.d", "a..c", "@.@.@"};

	assert_int_equal(x509_make_key(&pem, NULL), 0);
	assert_int_equal(jwt_key_load(str_of(pem), &key, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
		buf_clear(&token);
		base64url_encode(&token, str_of(headers[i]));
		buf_puts(&token, ".e30.");
		assert_int_equal(jwt_verify(&key, 1, buf_str(&token), &claims, NULL),
				 ERR_UNAUTHORIZED);
		buf_puts(&token, "AAAA");
		assert_int_equal(jwt_verify(&key, 1, buf_str(&token), &claims, NULL),
				 ERR_UNAUTHORIZED);
	}
	for (size_t i = 0; i < ARRAY_LEN(shapes); i++) {
		assert_int_equal(jwt_verify(&key, 1, str_of(shapes[i]), &claims, NULL),
				 ERR_UNAUTHORIZED);
	}
	memset(buf_reserve(&big, 20000), 'a', 20000);
	big.n = 20000;
	assert_int_equal(jwt_verify(&key, 1, buf_str(&big), &claims, NULL), ERR_LIMIT);
	buf_clear(&claims);
	assert_int_equal(jwt_peek_claims(STR("e30.eyJhIjoxfQ.x"), &claims), 0);
	EXPECT_STR(buf_str(&claims), "{\"a\":1}");
	jwt_key_free(key);
	mem_free(pem);
}

/* RFC 7515 appendix A.3: a foreign token, with a key given as coordinates there (here as SubjectPublicKeyInfo). */
TEST(the_rfcs_own_es256_token_verifies)
{
	struct jwt_key *key;
	struct buf claims CLEANUP_BUF = {0};
	struct buf jwk CLEANUP_BUF = {0};
	struct str pem = STR("-----BEGIN PUBLIC KEY-----\n"
			     "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV7\n"
			     "6e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2KRiMohYjlrQ==\n"
			     "-----END PUBLIC KEY-----\n");
	struct str token = STR("eyJhbGciOiJFUzI1NiJ9."
			       "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGx"
			       "lLmNvbS9pc19yb290Ijp0cnVlfQ."
			       "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
			       "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");

	assert_int_equal(jwt_key_load(pem, &key, NULL), 0);
	assert_int_equal(jwt_verify(&key, 1, token, &claims, NULL), 0);
	assert_true(str_has_prefix(buf_str(&claims), STR("{\"iss\":\"joe\"")));
	jwt_key_write_jwk(key, &jwk);
	assert_true(str_contains(buf_str(&jwk),
				 STR("\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"")));
	assert_true(str_contains(buf_str(&jwk),
				 STR("\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"")));
	jwt_key_free(key);
}

TEST_MAIN(base64_round_trips_known_values, base64_refuses_what_is_not_canonical,
	  digests_match_published_values, tokens_differ_and_compare,
	  secret_files_are_private_and_replaced_whole,
	  certificates_say_what_was_asked_for_and_verify,
	  bad_certificate_texts_and_names_are_refused, es256_tokens_verify_and_tampered_ones_do_not,
	  rs256_tokens_verify_and_weak_keys_are_refused,
	  tokens_that_claim_no_or_another_algorithm_are_refused, the_rfcs_own_es256_token_verifies)
