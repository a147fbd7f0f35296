/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

#include <time.h>

/* clang-format off */
static const struct { int status; struct str text; } reasons[] = {
	{100, STR_INIT("Continue")}, {101, STR_INIT("Switching Protocols")},
	{200, STR_INIT("OK")}, {201, STR_INIT("Created")}, {202, STR_INIT("Accepted")}, {204, STR_INIT("No Content")},
	{206, STR_INIT("Partial Content")},
	{301, STR_INIT("Moved Permanently")}, {302, STR_INIT("Found")}, {303, STR_INIT("See Other")},
	{304, STR_INIT("Not Modified")}, {307, STR_INIT("Temporary Redirect")}, {308, STR_INIT("Permanent Redirect")},
	{400, STR_INIT("Bad Request")}, {401, STR_INIT("Unauthorized")}, {403, STR_INIT("Forbidden")},
	{404, STR_INIT("Not Found")}, {405, STR_INIT("Method Not Allowed")}, {406, STR_INIT("Not Acceptable")},
	{408, STR_INIT("Request Timeout")}, {409, STR_INIT("Conflict")}, {410, STR_INIT("Gone")},
	{411, STR_INIT("Length Required")}, {412, STR_INIT("Precondition Failed")},
	{413, STR_INIT("Request Entity Too Large")}, {414, STR_INIT("Request URI Too Long")},
	{415, STR_INIT("Unsupported Media Type")}, {417, STR_INIT("Expectation Failed")},
	{421, STR_INIT("Misdirected Request")}, {422, STR_INIT("Unprocessable Entity")},
	{426, STR_INIT("Upgrade Required")}, {429, STR_INIT("Too Many Requests")},
	{431, STR_INIT("Request Header Fields Too Large")},
	{500, STR_INIT("Internal Server Error")}, {501, STR_INIT("Not Implemented")}, {502, STR_INIT("Bad Gateway")},
	{503, STR_INIT("Service Unavailable")}, {504, STR_INIT("Gateway Timeout")},
	{505, STR_INIT("HTTP Version Not Supported")},
};
/* clang-format on */

struct str http_reason(int status)
{
	for (size_t i = 0; i < ARRAY_LEN(reasons); i++) {
		if (reasons[i].status == status) {
			return reasons[i].text;
		}
	}
	return STR("Unknown");
}

bool http_status_has_body(int status)
{
	return status >= 200 && status != 204 && status != 304;
}

struct str http_header_find(const struct http_header *headers, size_t n, struct str name)
{
	for (size_t i = 0; i < n; i++) {
		if (headers[i].name.n == name.n && str_eq_nocase(headers[i].name, name)) {
			return headers[i].value;
		}
	}
	return STR_NULL;
}

bool http_header_has_token(const struct http_header *headers, size_t n, struct str name,
			   struct str token)
{
	for (size_t i = 0; i < n; i++) {
		struct str rest = headers[i].value;
		struct str part;

		if (headers[i].name.n != name.n || !str_eq_nocase(headers[i].name, name)) {
			continue;
		}
		while (str_cut(&rest, ',', &part)) {
			if (str_eq_nocase(str_trim(part), token)) {
				return true;
			}
		}
	}
	return false;
}

void http_date(struct buf *out, int64_t wall_s)
{
	static const char days[] = "SunMonTueWedThuFriSat";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	time_t t = (time_t)wall_s;
	struct tm tm;

	gmtime_r(&t, &tm);
	buf_printf(out, "%.3s, %02d %.3s %04d %02d:%02d:%02d GMT", days + tm.tm_wday * 3,
		   tm.tm_mday, months + tm.tm_mon * 3, tm.tm_year + 1900, tm.tm_hour, tm.tm_min,
		   tm.tm_sec);
}
