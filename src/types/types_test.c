/* SPDX-License-Identifier: Apache-2.0 */
/* The generated tables keep the promises of object/desc.h. */
#include "base/test.h"

#include "types/types.h"

static struct str field_name(const struct type_desc *type, size_t i)
{
	return str_of(type->fields[i].name);
}

/* Bytes that the field takes up in its struct. */
static size_t field_space(const struct field_desc *field)
{
	switch ((enum field_shape)field->shape) {
	case SHAPE_ONE:
		return field->elem_size;
	case SHAPE_PTR:
		return sizeof(void *);
	case SHAPE_LIST:
	case SHAPE_MAP:
		return sizeof(struct any_list);
	}
	return SIZE_MAX;
}

static bool has_verb(const struct resource_desc *resource, enum verb verb)
{
	return resource->verbs & verb;
}

#define EACH_TYPE(type)                                                                            \
	for (size_t type##_i = 0; type##_i < all_types_n; type##_i++)                              \
		for (const struct type_desc *type = all_types[type##_i]; type; type = NULL)
#define EACH_FIELD(type, field)                                                                    \
	for (const struct field_desc *field = (type)->fields,                                      \
				     *field##_end = field + (type)->nfields;                       \
	     field < field##_end; field++)
#define EACH_RESOURCE(resource)                                                                    \
	for (size_t resource##_i = 0; resource##_i < all_resources_n; resource##_i++)              \
		for (const struct resource_desc *resource = all_resources[resource##_i]; resource; \
		     resource = NULL)

TEST(by_name_lists_every_field_in_byte_order)
{
	EACH_TYPE(type)
	{
		for (size_t i = 1; i < type->nfields; i++) {
			assert_true(str_cmp(field_name(type, type->by_name[i - 1]),
					    field_name(type, type->by_name[i])) < 0);
		}
	}
}

TEST(fields_lie_inside_their_struct_and_apart)
{
	EACH_TYPE(type)
	{
		size_t end = 0;
		EACH_FIELD(type, field)
		{
			assert_in_range(field->offset, end, type->size);
			end = field->offset + field_space(field);
			assert_in_range(end, 1, type->size);
		}
	}
}

TEST(field_names_carry_their_length)
{
	EACH_TYPE(type)
	{
		EACH_FIELD(type, field)
		{
			assert_int_equal(field->name_len, strlen(field->name));
		}
	}
}

TEST(messages_and_only_messages_have_a_type)
{
	EACH_TYPE(type)
	{
		EACH_FIELD(type, field)
		{
			assert_int_equal(field->type == FIELD_MESSAGE, field->message != NULL);
			if (field->message) {
				assert_int_equal(field->elem_size, field->message->size);
			}
		}
	}
}

TEST(list_keys_name_fields_of_the_element)
{
	EACH_TYPE(type)
	{
		EACH_FIELD(type, field)
		{
			assert_int_equal(field->list == LIST_MAP, field->list_keys != NULL);
			for (const char *const *key = field->list_keys; key && *key; key++) {
				bool found = false;
				EACH_FIELD(field->message, of_element)
				{
					found |= strcmp(of_element->name, *key) == 0;
				}
				assert_true(found);
			}
		}
	}
}

TEST(kinds_begin_like_object_head)
{
	EACH_RESOURCE(resource)
	{
		const struct type_desc *type = resource->type;
		EXPECT_STR(field_name(type, 0), "kind");
		EXPECT_STR(field_name(type, 1), "apiVersion");
		EXPECT_STR(field_name(type, 2), "metadata");
		assert_int_equal(type->fields[0].offset, offsetof(struct object_head, kind));
		assert_int_equal(type->fields[1].offset, offsetof(struct object_head, api_version));
		assert_int_equal(type->fields[2].offset, offsetof(struct object_head, metadata));
		assert_ptr_equal(type->fields[2].message, &type_meta_object_meta);
	}
}

TEST(what_can_be_listed_has_a_list_of_its_own_type)
{
	EACH_RESOURCE(resource)
	{
		const struct type_desc *list = resource->list_type;
		assert_int_equal(has_verb(resource, VERB_LIST), list != NULL);
		if (list) {
			assert_int_equal(list->nfields, 4);
			EXPECT_STR(field_name(list, 3), "items");
			assert_ptr_equal(list->fields[3].message, resource->type);
			assert_int_equal(list->fields[3].offset,
					 offsetof(struct object_list_head, items));
		}
	}
}

TEST(subresources_have_a_body)
{
	EACH_RESOURCE(resource)
	{
		for (size_t i = 0; i < resource->nsubresources; i++) {
			const struct subresource_desc *sub = &resource->subresources[i];
			assert_non_null(sub->type);
			assert_non_null(sub->kind);
			assert_int_not_equal(sub->verbs, 0);
		}
	}
}

TEST(a_field_is_never_better_supported_than_its_kind)
{
	EACH_RESOURCE(resource)
	{
		EACH_FIELD(resource->type, field)
		{
			assert_in_range(field->support, resource->support, SUPPORT_REFUSED);
		}
	}
}

TEST(every_kind_is_described)
{
	EACH_RESOURCE(resource)
	{
		assert_non_null(resource->type->doc);
	}
}

TEST(storage_is_shared_with_a_resource_that_has_its_own)
{
	EACH_RESOURCE(resource)
	{
		if (resource->storage) {
			assert_string_equal(resource->storage->resource, resource->resource);
			assert_null(resource->storage->storage);
		}
	}
	assert_ptr_equal(resource_events_events.storage, &resource_core_events);
}

static const struct field_desc *find_field(const struct type_desc *type, const char *name)
{
	EACH_FIELD(type, field)
	{
		if (strcmp(field->name, name) == 0) {
			return field;
		}
	}
	return NULL;
}

TEST(inlined_messages_are_flat_with_their_path)
{
	const struct field_desc *field = find_field(&type_core_volume, "configMap");
	assert_non_null(field);
	assert_int_equal(field->proto_path[0], 2);
	assert_int_equal(field->proto_path[1], 19);
	assert_int_equal(field->proto_path[2], 0);
	assert_int_equal(field->offset, offsetof(struct core_volume, config_map));
}

TEST(secret_data_is_sensitive)
{
	assert_true(find_field(&type_core_secret, "data")->flags & FIELD_SENSITIVE);
	assert_true(find_field(&type_core_secret, "stringData")->flags & FIELD_SENSITIVE);
	assert_false(find_field(&type_core_config_map, "data")->flags & FIELD_SENSITIVE);
}

TEST(host_users_is_refused_only_when_false)
{
	const struct field_desc *field = find_field(&type_core_pod_spec, "hostUsers");
	assert_int_equal(field->support, SUPPORT_REFUSED);
	assert_string_equal(field->support_values[0], "false");
	assert_null(field->support_values[1]);
}

TEST_MAIN(by_name_lists_every_field_in_byte_order, fields_lie_inside_their_struct_and_apart,
	  field_names_carry_their_length, messages_and_only_messages_have_a_type,
	  list_keys_name_fields_of_the_element, kinds_begin_like_object_head,
	  what_can_be_listed_has_a_list_of_its_own_type, subresources_have_a_body,
	  a_field_is_never_better_supported_than_its_kind, every_kind_is_described,
	  storage_is_shared_with_a_resource_that_has_its_own,
	  inlined_messages_are_flat_with_their_path, secret_data_is_sensitive,
	  host_users_is_refused_only_when_false)
