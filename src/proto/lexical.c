/*
 * lexical.c
 *	  Text forms of single values in proto-JSON.
 *
 * Pure functions of their arguments: no setting such as DateStyle has a say,
 * nothing raises, and palloc() is all they need of a backend, so that they can
 * be fuzzed.
 */
#include "postgres.h"

#include <limits.h>

#include "mb/pg_wchar.h"

#include "proto/lexical.h"

#define NANOS_PER_SECOND 1000000000
#define SECONDS_PER_DAY 86400

/* Bounds of google.protobuf.Duration: ten thousand years either way. */
#define DURATION_MAX_SECONDS INT64CONST(315576000000)

/* Bounds of google.protobuf.Timestamp: the years 1 to 9999. */
#define TIMESTAMP_MIN_SECONDS INT64CONST(-62135596800)
#define TIMESTAMP_MAX_SECONDS INT64CONST(253402300799)

/* Beyond these jsonb may refuse, or a short text become a very long one. */
#define JSON_MAX_DEPTH 1000
#define JSON_MAX_DIGITS 1000
#define JSON_MAX_EXPONENT 400

static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/*
 * Base64
 */

/*
 * base64_encode -- in the standard alphabet, padded.
 */
char *
base64_encode(const uint8 *data, size_t len)
{
	char *result = palloc((len + 2) / 3 * 4 + 1);
	char *out = result;

	for (size_t i = 0; i < len; i += 3)
	{
		size_t rest = len - i;
		uint32 group = data[i] << 16;

		if (rest > 1)
			group |= data[i + 1] << 8;
		if (rest > 2)
			group |= data[i + 2];
		*out++ = base64_digits[group >> 18];
		*out++ = base64_digits[(group >> 12) & 63];
		*out++ = rest > 1 ? base64_digits[(group >> 6) & 63] : '=';
		*out++ = rest > 2 ? base64_digits[group & 63] : '=';
	}
	*out = '\0';
	return result;
}

/*
 * base64_digit -- the value of a digit of either alphabet, or -1.
 */
static int
base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/*
 * base64_decode -- from the standard or the URL alphabet, padded or not.
 *
 * Line ends are skipped: encode() of PostgreSQL breaks lines.  No bytes are a
 * NULL pointer, as protobuf-c wants it.
 */
bool
base64_decode(const char *text, size_t len, uint8 **data, size_t *data_len)
{
	uint8 *out;
	uint32 bits = 0;
	int n_bits = 0;
	size_t n_digits = 0;
	size_t n_pads = 0;

	*data = NULL;
	*data_len = 0;
	if (len == 0)
		return true;
	out = palloc(len / 4 * 3 + 3);
	for (size_t i = 0; i < len; i++)
	{
		int digit = base64_digit(text[i]);

		if (text[i] == '\n' || text[i] == '\r')
			continue;
		if (text[i] == '=')
			n_pads++;
		else if (digit < 0 || n_pads > 0)
			return false;
		else
		{
			bits = bits << 6 | digit;
			n_bits += 6;
			n_digits++;
			if (n_bits >= 8)
			{
				n_bits -= 8;
				out[(*data_len)++] = bits >> n_bits & 0xff;
			}
		}
	}
	if (n_digits % 4 == 1 || (n_pads > 0 && (n_pads > 2 || (n_digits + n_pads) % 4 != 0)))
		return false;
	if (*data_len > 0)
		*data = out;
	return true;
}

/*
 * Durations and timestamps
 */

/*
 * parse_digits -- take between "min" and "max" decimal digits.
 */
static bool
parse_digits(const char **text, int min, int max, int64 *value)
{
	int n = 0;

	*value = 0;
	for (; n < max && (*text)[0] >= '0' && (*text)[0] <= '9'; n++)
		*value = *value * 10 + (*(*text)++ - '0');
	return n >= min;
}

/*
 * parse_part -- take a separator and two digits.
 */
static bool
parse_part(const char **text, char separator, int64 *value)
{
	if ((*text)[0] != separator)
		return false;
	++*text;
	return parse_digits(text, 2, 2, value);
}

/*
 * parse_nanos -- take a fraction of up to nine digits, if there is one.
 */
static bool
parse_nanos(const char **text, int32 *nanos)
{
	const char *start;
	int64 value;

	*nanos = 0;
	if ((*text)[0] != '.')
		return true;
	start = ++*text;
	if (!parse_digits(text, 1, 9, &value))
		return false;
	for (int n = *text - start; n < 9; n++)
		value *= 10;
	*nanos = value;
	return true;
}

/*
 * format_nanos -- a fraction of 0, 3, 6 or 9 digits.
 */
static char *
format_nanos(int32 nanos)
{
	if (nanos == 0)
		return "";
	if (nanos % 1000000 == 0)
		return psprintf(".%03d", nanos / 1000000);
	if (nanos % 1000 == 0)
		return psprintf(".%06d", nanos / 1000);
	return psprintf(".%09d", nanos);
}

/*
 * duration_format -- such as "-1.500s"; NULL if it is not a valid duration.
 */
char *
duration_format(int64 seconds, int32 nanos)
{
	bool negative = seconds < 0 || nanos < 0;

	if (seconds < -DURATION_MAX_SECONDS || seconds > DURATION_MAX_SECONDS ||
		nanos <= -NANOS_PER_SECOND || nanos >= NANOS_PER_SECOND)
		return NULL;
	if (negative && (seconds > 0 || nanos > 0))
		return NULL;
	return psprintf("%s" INT64_FORMAT "%ss", negative ? "-" : "", negative ? -seconds : seconds,
					format_nanos(negative ? -nanos : nanos));
}

/*
 * duration_parse -- seconds with up to nine decimals and the letter s.
 */
bool
duration_parse(const char *text, int64 *seconds, int32 *nanos)
{
	bool negative = text[0] == '-';

	if (negative)
		text++;
	if (!parse_digits(&text, 1, 12, seconds) || !parse_nanos(&text, nanos))
		return false;
	if (strcmp(text, "s") != 0 || *seconds > DURATION_MAX_SECONDS)
		return false;
	if (negative)
	{
		*seconds = -*seconds;
		*nanos = -*nanos;
	}
	return true;
}

/*
 * days_from_date -- days since 1970-01-01 in the proleptic Gregorian calendar.
 *
 * Years begin in March here, so that the leap day comes last.
 */
static int64
days_from_date(int64 year, int64 month, int64 day)
{
	int64 y = month <= 2 ? year - 1 : year;
	int64 era = y / 400;
	int64 year_of_era = y % 400;
	int64 day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year -
		719468;
}

/*
 * date_from_days -- the inverse of days_from_date(), for years from 1 on.
 */
static void
date_from_days(int64 days, int *year, int *month, int *day)
{
	int64 shifted = days + 719468;
	int64 era = shifted / 146097;
	int64 day_of_era = shifted % 146097;
	int64 year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int64 day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int64 shifted_month = (5 * day_of_year + 2) / 153;

	*day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
	*month = shifted_month < 10 ? shifted_month + 3 : shifted_month - 9;
	*year = era * 400 + year_of_era + (*month <= 2 ? 1 : 0);
}

/*
 * date_is_valid -- does this day exist?
 */
static bool
date_is_valid(int64 year, int64 month, int64 day)
{
	static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (month < 1 || month > 12 || day < 1)
		return false;
	return day <= month_days[month - 1] + (month == 2 && leap ? 1 : 0);
}

/*
 * timestamp_format -- RFC 3339 in UTC; NULL if it is not a valid timestamp.
 */
char *
timestamp_format(int64 seconds, int32 nanos)
{
	int64 days;
	int second_of_day;
	int year;
	int month;
	int day;

	if (seconds < TIMESTAMP_MIN_SECONDS || seconds > TIMESTAMP_MAX_SECONDS || nanos < 0 ||
		nanos >= NANOS_PER_SECOND)
		return NULL;

	/* From the first day of the range on, so that nothing is negative. */
	days = (seconds - TIMESTAMP_MIN_SECONDS) / SECONDS_PER_DAY;
	second_of_day = (seconds - TIMESTAMP_MIN_SECONDS) % SECONDS_PER_DAY;
	date_from_days(days + TIMESTAMP_MIN_SECONDS / SECONDS_PER_DAY, &year, &month, &day);
	return psprintf("%04d-%02d-%02dT%02d:%02d:%02d%sZ", year, month, day, second_of_day / 3600,
					second_of_day / 60 % 60, second_of_day % 60, format_nanos(nanos));
}

/*
 * parse_offset -- take "Z" or an offset from UTC such as +02:00.
 */
static bool
parse_offset(const char **text, int64 *seconds)
{
	int sign;
	int64 hours;
	int64 minutes;

	*seconds = 0;
	if ((*text)[0] == 'Z')
	{
		++*text;
		return true;
	}
	if ((*text)[0] != '+' && (*text)[0] != '-')
		return false;
	sign = *(*text)++ == '-' ? -1 : 1;
	if (!parse_digits(text, 2, 2, &hours) || !parse_part(text, ':', &minutes) || hours > 23 ||
		minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return true;
}

/*
 * timestamp_parse -- RFC 3339 with up to nine decimals and any offset.
 */
bool
timestamp_parse(const char *text, int64 *seconds, int32 *nanos)
{
	int64 year;
	int64 month;
	int64 day;
	int64 hour;
	int64 minute;
	int64 second;
	int64 offset;

	if (!parse_digits(&text, 4, 4, &year) || !parse_part(&text, '-', &month) ||
		!parse_part(&text, '-', &day) || !parse_part(&text, 'T', &hour) ||
		!parse_part(&text, ':', &minute) || !parse_part(&text, ':', &second) ||
		!parse_nanos(&text, nanos) || !parse_offset(&text, &offset) || *text != '\0')
		return false;
	if (!date_is_valid(year, month, day) || hour > 23 || minute > 59 || second > 59)
		return false;

	*seconds = days_from_date(year, month, day) * SECONDS_PER_DAY + hour * 3600 + minute * 60 +
		second - offset;
	return *seconds >= TIMESTAMP_MIN_SECONDS && *seconds <= TIMESTAMP_MAX_SECONDS;
}

/*
 * JSON text
 */

typedef struct JsonText
{
	const char *at;
	const char *end;
} JsonText;

/*
 * peek -- the next character, NUL at the end.
 */
static char
peek(const JsonText *json)
{
	return json->at < json->end ? *json->at : '\0';
}

/*
 * take -- step over a character if it comes next.
 */
static bool
take(JsonText *json, char c)
{
	if (peek(json) != c)
		return false;
	json->at++;
	return true;
}

static void
skip_space(JsonText *json)
{
	while (json->at < json->end && strchr(" \t\n\r", *json->at) != NULL)
		json->at++;
}

/*
 * take_word -- step over one of the three literals.
 */
static bool
take_word(JsonText *json, const char *word)
{
	size_t len = strlen(word);

	if ((size_t) (json->end - json->at) < len || memcmp(json->at, word, len) != 0)
		return false;
	json->at += len;
	return true;
}

/*
 * take_hex4 -- the four digits of a \u escape, or -1.
 */
static int
take_hex4(JsonText *json)
{
	int value = 0;

	for (int i = 0; i < 4; i++)
	{
		char c = peek(json);

		if (c >= '0' && c <= '9')
			value = value * 16 + (c - '0');
		else if ((c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'))
			value = value * 16 + ((c | 0x20) - 'a') + 10;
		else
			return -1;
		json->at++;
	}
	return value;
}

/*
 * take_escape -- what follows a backslash.
 *
 * jsonb has no place for U+0000, nor for half of a surrogate pair.
 */
static bool
take_escape(JsonText *json)
{
	int code;

	if (peek(json) != 'u')
		return json->at < json->end && strchr("\"\\/bfnrt", *json->at++) != NULL;
	json->at++;
	code = take_hex4(json);
	if (code <= 0 || (code >= 0xdc00 && code <= 0xdfff))
		return false;
	if (code < 0xd800 || code > 0xdbff)
		return true;
	if (!take(json, '\\') || !take(json, 'u'))
		return false;
	code = take_hex4(json);
	return code >= 0xdc00 && code <= 0xdfff;
}

static bool
take_string(JsonText *json)
{
	if (!take(json, '"'))
		return false;
	while (json->at < json->end)
	{
		char c = *json->at++;

		if (c == '"')
			return true;
		if ((unsigned char) c < 0x20)
			return false;
		if (c == '\\' && !take_escape(json))
			return false;
	}
	return false;
}

/*
 * take_number_digits -- at least one digit, and not too many.
 */
static bool
take_number_digits(JsonText *json, int *value)
{
	const char *start = json->at;

	*value = 0;
	for (; peek(json) >= '0' && peek(json) <= '9'; json->at++)
		*value = Min(*value * 10 + (*json->at - '0'), JSON_MAX_EXPONENT + 1);
	return json->at > start && json->at - start <= JSON_MAX_DIGITS;
}

static bool
take_number(JsonText *json)
{
	int value;

	(void) take(json, '-');
	if (!take(json, '0') && !take_number_digits(json, &value))
		return false;
	if (take(json, '.') && !take_number_digits(json, &value))
		return false;
	if (!take(json, 'e') && !take(json, 'E'))
		return true;
	if (!take(json, '-'))
		(void) take(json, '+');
	return take_number_digits(json, &value) && value <= JSON_MAX_EXPONENT;
}

static bool
take_scalar(JsonText *json)
{
	switch (peek(json))
	{
		case '"':
			return take_string(json);
		case 't':
			return take_word(json, "true");
		case 'f':
			return take_word(json, "false");
		case 'n':
			return take_word(json, "null");
		default:
			return take_number(json);
	}
}

/*
 * take_key -- the name of a member and its colon.
 */
static bool
take_key(JsonText *json)
{
	skip_space(json);
	if (!take_string(json))
		return false;
	skip_space(json);
	return take(json, ':');
}

/*
 * json_text_fits_jsonb -- is it JSON, and will jsonb take it without raising?
 *
 * Stricter than jsonb in what only an adversary writes: depth, and numbers
 * beyond any double.
 */
bool
json_text_fits_jsonb(const char *text, size_t len)
{
	JsonText json = {text, text + len};
	char closing[JSON_MAX_DEPTH];
	int depth = 0;

	if (len > INT_MAX || pg_encoding_verifymbstr(PG_UTF8, text, len) != len)
		return false;
	for (;;)
	{
		/* A value comes next: open a container, or take a scalar. */
		skip_space(&json);
		if (peek(&json) == '{' || peek(&json) == '[')
		{
			bool object = *json.at++ == '{';

			if (depth >= JSON_MAX_DEPTH)
				return false;
			closing[depth++] = object ? '}' : ']';
			skip_space(&json);
			if (peek(&json) != closing[depth - 1])
			{
				if (object && !take_key(&json))
					return false;
				continue;
			}
		}
		else if (!take_scalar(&json))
			return false;

		/* Close what ends here. */
		skip_space(&json);
		while (depth > 0 && take(&json, closing[depth - 1]))
		{
			depth--;
			skip_space(&json);
		}
		if (depth == 0)
			return json.at == json.end;
		if (!take(&json, ',') || (closing[depth - 1] == '}' && !take_key(&json)))
			return false;
	}
}
