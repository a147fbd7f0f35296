/* SPDX-License-Identifier: Apache-2.0 */
#include "base/test.h"
#include "controller/label_map.h"
#include "sim/cluster.h"

#define CLASS(name, mode, extra)                                                                   \
	"{\"metadata\":{\"name\":\"" name "\"" extra                                               \
	"},\"provisioner\":\"cox.dev/shared-path\",\"reclaimPolicy\":\"Delete\","                  \
	"\"volumeBindingMode\":\"" mode "\"}"
#define CLAIM(class)                                                                               \
	"{\"metadata\":{\"name\":\"data\"},\"spec\":{" class "\"accessModes\":[\"ReadWriteOnce\"]" \
							     ",\"resources\":{\"requests\":{"      \
							     "\"storage\":\"1Gi\"}}}}"
#define VOLUME(name, size, policy)                                                                 \
	"{\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"capacity\":{\"storage\":\"" size        \
	"\"},\"accessModes\":[\"ReadWriteOnce\"],\"persistentVolumeReclaimPolicy\":\"" policy      \
	"\",\"hostPath\":{\"path\":\"/srv\"}}}"
#define POD                                                                                        \
	"{\"metadata\":{\"name\":\"p\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":"      \
	"\"i\"}],\"volumes\":[{\"name\":\"v\","                                                    \
	"\"persistentVolumeClaim\":{\"claimName\":\"data\"}}]}}"

static struct sim_cluster *cluster(void)
{
	struct sim_cluster *c = sim_cluster_new(&(struct sim_opts){.seed = 1, .nodes = 1});

	sim_options(c)->provision_dir = STR("/var/lib/volumes");
	return c;
}

static const struct core_persistent_volume_claim *claim(struct sim_cluster *c)
{
	struct frozen *f = sim_get(c, &resource_core_persistentvolumeclaims, "default", "data");

	return f ? FROZEN_AS(f, core_persistentvolumeclaims, struct core_persistent_volume_claim)
		 : NULL;
}

static const struct core_persistent_volume *volume(struct sim_cluster *c, struct str name)
{
	char text[100];
	struct frozen *f;

	snprintf(text, sizeof(text), "%.*s", STR_ARG(name));
	f = sim_get(c, &resource_core_persistentvolumes, NULL, text);
	return f ? FROZEN_AS(f, core_persistentvolumes, struct core_persistent_volume) : NULL;
}

TEST(a_claim_gets_a_new_volume_of_its_class)
{
	struct sim_cluster *c = cluster();
	const struct core_persistent_volume *v;
	struct str name;

	sim_create(c, &resource_storage_storageclasses,
		   CLASS("standard", "Immediate",
			 ",\"annotations\":{\"storageclass.kubernetes.io/"
			 "is-default-class\":\"true\"}"));
	sim_create(c, &resource_core_persistentvolumeclaims, CLAIM(""));
	sim_advance(c, 2 * NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Bound");
	EXPECT_STR(*claim(c)->spec.storage_class_name, "standard");
	EXPECT_STR(label_map_get(&claim(c)->metadata.annotations,
				 STR("pv.kubernetes.io/bind-completed")),
		   "yes");
	EXPECT_STR(label_map_get(&claim(c)->metadata.annotations,
				 STR("volume.kubernetes.io/storage-provisioner")),
		   "cox.dev/shared-path");
	assert_int_equal(claim(c)->status.capacity.n, 1);
	name = claim(c)->spec.volume_name;
	assert_true(str_has_prefix(name, STR("pvc-")));
	v = volume(c, name);
	EXPECT_STR(v->status.phase, "Bound");
	EXPECT_STR(v->spec.persistent_volume_reclaim_policy, "Delete");
	assert_true(str_has_prefix(v->spec.host_path->path, STR("/var/lib/volumes/pvc-")));
	assert_true(str_eq(v->spec.claim_ref->uid, claim(c)->metadata.uid));
	assert_int_equal(sim_count_events(c, "data", "ProvisioningSucceeded"), 1);
	assert_int_equal(sim_count(c, &resource_core_persistentvolumes, NULL), 1);
	/* Deleted with its claim; the directory is the node's to remove, and it says so by the finalizer. */
	sim_delete(c, &resource_core_persistentvolumeclaims, "default", "data",
		   PROPAGATION_DEFAULT);
	sim_advance(c, 5 * NS_PER_SEC);
	assert_null(claim(c));
	v = volume(c, name);
	EXPECT_STR(v->status.phase, "Released");
	assert_non_null(v->metadata.deletion_timestamp);
	assert_int_equal(v->metadata.finalizers.n, 1);
	EXPECT_STR(v->metadata.finalizers.p[0], "cox.dev/shared-path");
	sim_cluster_free(c);
}

TEST(a_late_binding_claim_waits_for_the_scheduler)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_storage_storageclasses, CLASS("late", "WaitForFirstConsumer", ""));
	sim_create(c, &resource_core_persistentvolumeclaims,
		   CLAIM("\"storageClassName\":\"late\","));
	sim_advance(c, 2 * NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Pending");
	assert_true(sim_count_events(c, "data", "WaitForFirstConsumer") >= 1);
	sim_patch(c, &resource_core_persistentvolumeclaims, NULL, "default", "data",
		  "{\"metadata\":{\"annotations\":{\"volume.kubernetes.io/"
		  "selected-node\":\"node-0\"}}}");
	sim_advance(c, 2 * NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Bound");
	sim_cluster_free(c);
}

TEST(a_claim_takes_the_smallest_volume_that_fits)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_persistentvolumes, VOLUME("big", "10Gi", "Retain"));
	sim_create(c, &resource_core_persistentvolumes, VOLUME("small", "512Mi", "Retain"));
	sim_create(c, &resource_core_persistentvolumes, VOLUME("fits", "2Gi", "Retain"));
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(volume(c, STR("fits"))->status.phase, "Available");
	sim_create(c, &resource_core_persistentvolumeclaims, CLAIM("\"storageClassName\":\"\","));
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(claim(c)->spec.volume_name, "fits");
	EXPECT_STR(claim(c)->status.phase, "Bound");
	sim_delete(c, &resource_core_persistentvolumeclaims, "default", "data",
		   PROPAGATION_DEFAULT);
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(volume(c, STR("fits"))->status.phase, "Released");
	assert_null(volume(c, STR("fits"))->metadata.deletion_timestamp);
	sim_cluster_free(c);
}

TEST(a_claim_without_class_or_volume_says_so_and_waits)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_persistentvolumeclaims, CLAIM(""));
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Pending");
	assert_true(sim_count_events(c, "data", "FailedBinding") >= 1);
	sim_create(c, &resource_core_persistentvolumes, VOLUME("fits", "2Gi", "Delete"));
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Bound");
	/* Nobody can delete what nobody has made. */
	sim_delete(c, &resource_core_persistentvolumeclaims, "default", "data",
		   PROPAGATION_DEFAULT);
	sim_advance(c, NS_PER_SEC);
	EXPECT_STR(volume(c, STR("fits"))->status.phase, "Failed");
	assert_int_equal(sim_count_events(c, "fits", "VolumeFailedDelete"), 1);
	sim_cluster_free(c);
}

TEST(a_claim_in_use_outlives_its_deletion)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_persistentvolumes, VOLUME("fits", "2Gi", "Retain"));
	sim_create(c, &resource_core_persistentvolumeclaims, CLAIM(""));
	sim_create(c, &resource_core_pods, POD);
	sim_advance(c, 3 * NS_PER_SEC);
	sim_delete(c, &resource_core_persistentvolumeclaims, "default", "data",
		   PROPAGATION_DEFAULT);
	sim_delete(c, &resource_core_persistentvolumes, NULL, "fits", PROPAGATION_DEFAULT);
	sim_advance(c, 10 * NS_PER_SEC);
	assert_non_null(claim(c));
	EXPECT_STR(volume(c, STR("fits"))->status.phase, "Bound");
	sim_delete(c, &resource_core_pods, "default", "p", PROPAGATION_DEFAULT);
	sim_advance(c, 10 * NS_PER_SEC);
	assert_null(claim(c));
	assert_null(volume(c, STR("fits")));
	sim_cluster_free(c);
}

TEST(a_bound_claim_without_its_volume_is_lost)
{
	struct sim_cluster *c = cluster();

	sim_create(c, &resource_core_persistentvolumes, VOLUME("fits", "2Gi", "Retain"));
	sim_create(c, &resource_core_persistentvolumeclaims, CLAIM(""));
	sim_advance(c, 3 * NS_PER_SEC);
	sim_delete(c, &resource_core_persistentvolumes, NULL, "fits", PROPAGATION_DEFAULT);
	sim_patch(c, &resource_core_persistentvolumes, NULL, NULL, "fits",
		  "{\"metadata\":{\"finalizers\":null}}");
	sim_advance(c, 3 * NS_PER_SEC);
	EXPECT_STR(claim(c)->status.phase, "Lost");
	assert_int_equal(sim_count_events(c, "data", "ClaimLost"), 1);
	sim_cluster_free(c);
}

TEST_MAIN(a_claim_gets_a_new_volume_of_its_class, a_late_binding_claim_waits_for_the_scheduler,
	  a_claim_takes_the_smallest_volume_that_fits,
	  a_claim_without_class_or_volume_says_so_and_waits, a_claim_in_use_outlives_its_deletion,
	  a_bound_claim_without_its_volume_is_lost)
