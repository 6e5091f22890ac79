/*
 * json_scalar.c
 *	  Numbers, strings, bytes and enums in proto-JSON.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "common/shortest_dec.h"
#include "utils/float.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"

#include "proto/json_codec.h"
#include "proto/lexical.h"

/*
 * number_text -- the digits of a number, also one in a string; NULL if it is
 * neither.
 */
static char *
number_text(const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		return DatumGetCString(
			DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	return NULL;
}

/*
 * parse_integer -- digits, with or without a sign and a fraction of zeros.
 */
static bool
parse_integer(const char *text, bool *negative, uint64 *magnitude)
{
	*negative = *text == '-';
	*magnitude = 0;
	if (*negative)
		text++;
	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++)
	{
		int digit = *text - '0';

		if (*magnitude > (PG_UINT64_MAX - digit) / 10)
			return false;
		*magnitude = *magnitude * 10 + digit;
	}
	if (text[0] == '.' && text[1] == '0')
		text += 1 + strspn(text + 1, "0");
	return *text == '\0';
}

/*
 * read_signed -- an integer of "bits" bits.
 */
static int64
read_signed(const JsonPlace *place, const JsonbValue *value, int bits)
{
	char *text = number_text(value);
	uint64 limit = UINT64CONST(1) << (bits - 1);
	uint64 magnitude;
	bool negative;

	if (text == NULL || !parse_integer(text, &negative, &magnitude) ||
		magnitude > (negative ? limit : limit - 1))
		json_reject(place, value, bits == 32 ? "a 32-bit integer" : "a 64-bit integer");
	return (int64) (negative ? -magnitude : magnitude);
}

/*
 * read_unsigned -- an integer that is not negative, up to "max".
 */
static uint64
read_unsigned(const JsonPlace *place, const JsonbValue *value, uint64 max)
{
	char *text = number_text(value);
	uint64 magnitude;
	bool negative;

	if (text == NULL || !parse_integer(text, &negative, &magnitude) || magnitude > max ||
		(negative && magnitude > 0))
		json_reject(place, value,
					max == PG_UINT32_MAX ? "a 32-bit integer that is not negative"
										 : "a 64-bit integer that is not negative");
	return magnitude;
}

/*
 * read_double -- a number, or the name of what JSON has no number for.
 */
static double
read_double(const JsonPlace *place, const JsonbValue *value, double max)
{
	char *text = number_text(value);
	char *end;
	double result;

	if (text != NULL && value->type == jbvString)
	{
		if (strcmp(text, "NaN") == 0)
			return get_float8_nan();
		if (strcmp(text, "Infinity") == 0)
			return get_float8_infinity();
		if (strcmp(text, "-Infinity") == 0)
			return -get_float8_infinity();
	}
	/* strtod() also takes spaces, hexadecimal and other names. */
	if (text == NULL || *text == '\0' || strspn(text, "0123456789+-.eE") != strlen(text))
		json_reject(place, value, "a number");
	result = strtod(text, &end);
	if (*end != '\0' || fabs(result) > max)
		json_reject(place, value, "a number in range");
	return result;
}

/*
 * read_string -- a copy of a JSON string; jsonb holds no NUL byte.
 */
static char *
read_string(const JsonPlace *place, const JsonbValue *value)
{
	if (value->type != jbvString)
		json_reject(place, value, "a string");
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static ProtobufCBinaryData
read_bytes(const JsonPlace *place, const JsonbValue *value)
{
	ProtobufCBinaryData bytes;

	if (value->type != jbvString ||
		!base64_decode(value->val.string.val, value->val.string.len, &bytes.data, &bytes.len))
		json_reject(place, value, "a string of base64");
	return bytes;
}

/*
 * read_enum -- by name or by number; a number may be newer than we are.
 */
static int32
read_enum(const JsonPlace *place, const ProtobufCEnumDescriptor *descriptor,
		  const JsonbValue *value)
{
	const ProtobufCEnumValue *found;

	if (value->type == jbvNumeric)
		return read_signed(place, value, 32);
	if (value->type != jbvString)
		json_reject(place, value, psprintf("a value of %s", descriptor->short_name));
	found = json_find_enum(descriptor, pnstrdup(value->val.string.val, value->val.string.len));
	if (found == NULL)
		json_reject(place, value, psprintf("a value of %s", descriptor->short_name));
	return found->value;
}

/*
 * json_read_scalar -- the value of a field that holds no message, into "out".
 */
void
json_read_scalar(const JsonPlace *place, const ProtobufCFieldDescriptor *field,
				 const JsonbValue *value, void *out)
{
	switch (field->type)
	{
		case PROTOBUF_C_TYPE_INT32:
		case PROTOBUF_C_TYPE_SINT32:
		case PROTOBUF_C_TYPE_SFIXED32:
			*(int32 *) out = read_signed(place, value, 32);
			break;
		case PROTOBUF_C_TYPE_INT64:
		case PROTOBUF_C_TYPE_SINT64:
		case PROTOBUF_C_TYPE_SFIXED64:
			*(int64 *) out = read_signed(place, value, 64);
			break;
		case PROTOBUF_C_TYPE_UINT32:
		case PROTOBUF_C_TYPE_FIXED32:
			*(uint32 *) out = read_unsigned(place, value, PG_UINT32_MAX);
			break;
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_FIXED64:
			*(uint64 *) out = read_unsigned(place, value, PG_UINT64_MAX);
			break;
		case PROTOBUF_C_TYPE_FLOAT:
			*(float *) out = read_double(place, value, FLT_MAX);
			break;
		case PROTOBUF_C_TYPE_DOUBLE:
			*(double *) out = read_double(place, value, DBL_MAX);
			break;
		case PROTOBUF_C_TYPE_BOOL:
			if (value->type != jbvBool)
				json_reject(place, value, "true or false");
			*(protobuf_c_boolean *) out = value->val.boolean;
			break;
		case PROTOBUF_C_TYPE_ENUM:
			*(int32 *) out = read_enum(place, field->descriptor, value);
			break;
		case PROTOBUF_C_TYPE_STRING:
			*(char **) out = read_string(place, value);
			break;
		case PROTOBUF_C_TYPE_BYTES:
			*(ProtobufCBinaryData *) out = read_bytes(place, value);
			break;
		default:
			elog(ERROR, "field \"%s\" is not a scalar", field->name);
	}
}

/*
 * write_number -- digits as a JSON number.
 */
static void
write_number(JsonWriter *writer, const char *digits)
{
	JsonbValue value = {.type = jbvNumeric};

	value.val.numeric = DatumGetNumeric(DirectFunctionCall3(
		numeric_in, CStringGetDatum(digits), ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
	json_write_value(writer, &value);
}

/*
 * write_double -- the shortest digits that give the same number, whatever
 * extra_float_digits says.
 */
static void
write_double(JsonWriter *writer, double number, bool single)
{
	char digits[DOUBLE_SHORTEST_DECIMAL_LEN];

	if (isnan(number))
		json_write_string(writer, "NaN");
	else if (isinf(number))
		json_write_string(writer, number > 0 ? "Infinity" : "-Infinity");
	else
	{
		if (single)
			float_to_shortest_decimal_buf((float) number, digits);
		else
			double_to_shortest_decimal_buf(number, digits);
		write_number(writer, digits);
	}
}

/*
 * write_enum -- by name, or by number if it has none here.
 */
static void
write_enum(JsonWriter *writer, const ProtobufCEnumDescriptor *descriptor, int32 number)
{
	const ProtobufCEnumValue *value = protobuf_c_enum_descriptor_get_value(descriptor, number);

	if (value != NULL)
		json_write_string(writer, value->name);
	else
		write_number(writer, psprintf("%d", number));
}

static void
write_bool(JsonWriter *writer, bool boolean)
{
	JsonbValue value = {.type = jbvBool, .val.boolean = boolean};

	json_write_value(writer, &value);
}

/*
 * json_write_scalar -- the value "at" of a field that holds no message.
 */
void
json_write_scalar(JsonWriter *writer, const ProtobufCFieldDescriptor *field, const void *at)
{
	const ProtobufCBinaryData *bytes = at;
	const char *text;

	switch (field->type)
	{
		case PROTOBUF_C_TYPE_INT32:
		case PROTOBUF_C_TYPE_SINT32:
		case PROTOBUF_C_TYPE_SFIXED32:
			write_number(writer, psprintf("%d", *(const int32 *) at));
			break;
		case PROTOBUF_C_TYPE_INT64:
		case PROTOBUF_C_TYPE_SINT64:
		case PROTOBUF_C_TYPE_SFIXED64:
			json_write_string(writer, psprintf(INT64_FORMAT, *(const int64 *) at));
			break;
		case PROTOBUF_C_TYPE_UINT32:
		case PROTOBUF_C_TYPE_FIXED32:
			write_number(writer, psprintf("%u", *(const uint32 *) at));
			break;
		case PROTOBUF_C_TYPE_UINT64:
		case PROTOBUF_C_TYPE_FIXED64:
			json_write_string(writer, psprintf(UINT64_FORMAT, *(const uint64 *) at));
			break;
		case PROTOBUF_C_TYPE_FLOAT:
			write_double(writer, *(const float *) at, true);
			break;
		case PROTOBUF_C_TYPE_DOUBLE:
			write_double(writer, *(const double *) at, false);
			break;
		case PROTOBUF_C_TYPE_BOOL:
			write_bool(writer, *(const protobuf_c_boolean *) at);
			break;
		case PROTOBUF_C_TYPE_ENUM:
			write_enum(writer, field->descriptor, *(const int32 *) at);
			break;
		case PROTOBUF_C_TYPE_STRING:
			text = *(char *const *) at;
			json_write_string(writer, text != NULL ? text : "");
			break;
		case PROTOBUF_C_TYPE_BYTES:
			json_write_string(writer, base64_encode(bytes->data, bytes->len));
			break;
		default:
			elog(ERROR, "field \"%s\" is not a scalar", field->name);
	}
}
