# Layers. An include goes down the ranks only: a target may use a layer of a lower rank, never one
# of its own rank or above. The rule is checked here, when the build is configured, so that a wrong
# dependency is an error before anything is compiled.
#
#   kc_layer(controller RANK 2 SOURCES flow.c … USES statemachine wire)
#
# makes the static library `kc_controller` with the folder above it on the include path (so that an
# include names its layer: #include "statemachine/list.h"), and with warnings as errors.

add_library(kc_flags INTERFACE)
target_include_directories(kc_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_options(kc_flags INTERFACE
  -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith
  -Wvla -Wundef -Wwrite-strings -Wcast-qual -Wconversion -Wno-sign-conversion
  -fno-strict-aliasing -fno-common)

function(kc_layer name)
  cmake_parse_arguments(L "" "RANK" "SOURCES;USES;LIBRARIES" ${ARGN})
  if(NOT DEFINED L_RANK)
    message(FATAL_ERROR "layer ${name} has no RANK")
  endif()
  set_property(GLOBAL PROPERTY KC_RANK_${name} ${L_RANK})
  add_library(kc_${name} STATIC ${L_SOURCES})
  target_link_libraries(kc_${name} PUBLIC kc_flags)
  foreach(used IN LISTS L_USES)
    get_property(rank GLOBAL PROPERTY KC_RANK_${used})
    if("${rank}" STREQUAL "")
      message(FATAL_ERROR "layer ${name} uses ${used}, which is not a layer defined before it")
    endif()
    if(NOT rank LESS L_RANK)
      message(FATAL_ERROR "layer ${name} (rank ${L_RANK}) may not use ${used} (rank ${rank}): includes go down the ranks only")
    endif()
    target_link_libraries(kc_${name} PUBLIC kc_${used})
  endforeach()
  target_link_libraries(kc_${name} PUBLIC ${L_LIBRARIES})
  kc_check_includes(${name} ${L_RANK} "${L_USES}")
endfunction()

# Every quoted include of a layer names the layer itself or one that it USES.
function(kc_check_includes name rank uses)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.c ${CMAKE_CURRENT_SOURCE_DIR}/*.h)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  foreach(file IN LISTS files)
    file(STRINGS ${file} lines REGEX "^#include \"[a-z]+/")
    foreach(line IN LISTS lines)
      string(REGEX REPLACE "^#include \"([a-z]+)/.*" "\\1" layer "${line}")
      if(NOT layer STREQUAL name AND NOT layer IN_LIST uses)
        message(FATAL_ERROR "${file}: includes layer ${layer}, which ${name} (rank ${rank}) does not use")
      endif()
    endforeach()
  endforeach()
endfunction()

# kc_test(name SOURCES … USES layers… LABELS unit): one `check` program, one ctest entry.
function(kc_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;USES;LABELS;LIBRARIES" ${ARGN})
  add_executable(${name} ${T_SOURCES})
  foreach(used IN LISTS T_USES)
    target_link_libraries(${name} PRIVATE kc_${used})
  endforeach()
  target_link_libraries(${name} PRIVATE kc_flags ${T_LIBRARIES} kc_mark PkgConfig::CHECK)
  target_compile_definitions(${name} PRIVATE KC_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
  target_compile_options(${name} PRIVATE -Wno-missing-prototypes)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 300)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()
