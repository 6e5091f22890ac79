/*
 * attribute_value.c
 *	  Is the value of a search attribute one of its type?
 *
 * Values are JSON.  A list of one value stands for the value itself; nothing,
 * null and an empty list all mean: remove.
 */
#include "postgres.h"

#include "core/decide.h"
#include "proto/lexical.h"
#include "proto/payload.h"
#include "utils/builtins.h"
#include "utils/numeric.h"

#define TYPE(name) PB__INDEXED_VALUE_TYPE__INDEXED_VALUE_TYPE_##name

static bool
is_array(const Jsonb *json)
{
	return JB_ROOT_IS_ARRAY(json) && !JB_ROOT_IS_SCALAR(json);
}

static bool
is_int64(Numeric number)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(number)));
	char	   *end;

	errno = 0;
	(void) strtoll(text, &end, 10);
	return *end == '\0' && errno == 0;
}

static bool
is_time(const JsonbValue *value)
{
	int64		seconds;
	int32		nanos;

	return value->type == jbvString &&
		timestamp_parse(pnstrdup(value->val.string.val, value->val.string.len), &seconds, &nanos);
}

static bool
scalar_fits(const JsonbValue *value, int type)
{
	switch (type)
	{
		case TYPE(INT):
			return value->type == jbvNumeric && is_int64(value->val.numeric);
		case TYPE(DOUBLE):
			return value->type == jbvNumeric;
		case TYPE(BOOL):
			return value->type == jbvBool;
		case TYPE(DATETIME):
			return is_time(value);
		default:
			return value->type == jbvString;
	}
}

/* core_attribute_value_fits -- if not, nobody could ever read it back. */
bool
core_attribute_value_fits(const Pb__Payload *payload, int type)
{
	Jsonb	   *json;
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (core_attribute_removed(payload))
		return true;
	json = payload_to_jsonb(payload);
	if (!JB_ROOT_IS_ARRAY(json) ||
		(is_array(json) && JB_ROOT_COUNT(json) > 1 && type != TYPE(KEYWORD_LIST)))
		return false;
	it = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_ELEM && !scalar_fits(&value, type))
			return false;
	return true;
}

bool
core_attribute_removed(const Pb__Payload *payload)
{
	Jsonb	   *json;
	JsonbValue	value;

	if (payload == NULL || payload->data.len == 0)
		return true;
	json = payload_to_jsonb(payload);
	if (is_array(json))
		return JB_ROOT_COUNT(json) == 0;
	return JB_ROOT_IS_SCALAR(json) && JsonbExtractScalar(&json->root, &value) &&
		value.type == jbvNull;
}
