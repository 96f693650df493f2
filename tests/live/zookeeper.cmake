# The adapter to a real ZooKeeper. 77: there is none on this machine.
set(tsan TSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/tsan.supp)

# The sequences of equal_to_real, through the adapter in place of bare calls of the C client.
add_executable(equal_through_adapter zookeeper_session.c ${equal}/equal_to_real.c
  ${equal}/history.c ${equal}/model.c ${equal}/plan.c ${equal}/proxy.c ${equal}/server.c)
target_link_libraries(equal_through_adapter PRIVATE kc_live kc_flags)
add_test(NAME equal_through_adapter COMMAND equal_through_adapter 400)
add_test(NAME equal_through_adapter_below_chroot COMMAND equal_through_adapter 40)
set_tests_properties(equal_through_adapter PROPERTIES ENVIRONMENT "${tsan}")
set_tests_properties(equal_through_adapter_below_chroot PROPERTIES
  ENVIRONMENT "KC_CHROOT=1;${tsan}")
set_tests_properties(equal_through_adapter equal_through_adapter_below_chroot PROPERTIES
  LABELS zookeeper TIMEOUT 600 SKIP_RETURN_CODE 77 RESOURCE_LOCK zookeeper)

# Loss, expiry, order, bulk reads, the end: node/session.c over the adapter over a proxy.
add_executable(test_zookeeper test_zookeeper.c zookeeper_desk.c proxy.c ${equal}/server.c)
target_link_libraries(test_zookeeper PRIVATE kc_live kc_flags)
add_test(NAME test_zookeeper_adapter COMMAND test_zookeeper)
set_tests_properties(test_zookeeper_adapter PROPERTIES ENVIRONMENT "${tsan}"
  LABELS "live;zookeeper" TIMEOUT 600 SKIP_RETURN_CODE 77 RESOURCE_LOCK zookeeper)

kc_test(test_bulk_codec SOURCES test_bulk_codec.c USES live LABELS unit fuzz)
