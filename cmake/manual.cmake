# The manual: relayd(8), relayd.yaml(5) and relayd-sendmail(8), made of the pages in docs/ by script/manual.
find_program(LOWDOWN lowdown)
if(NOT LOWDOWN)
  message(STATUS "no manual: lowdown is not there (Debian has it as lowdown)")
  return()
endif()

# The day of this version, so that two builds make the same bytes.
file(STRINGS ${PROJECT_SOURCE_DIR}/CHANGELOG.md version_heading REGEX "^## ${PROJECT_VERSION} - ")
if(NOT version_heading MATCHES "([0-9]+-[0-9]+-[0-9]+)$")
  message(FATAL_ERROR "CHANGELOG.md does not say when ${PROJECT_VERSION} was: ## ${PROJECT_VERSION} - YYYY-MM-DD")
endif()
set(version_date ${CMAKE_MATCH_1})

set(manual_directory ${PROJECT_BINARY_DIR}/manual)
file(MAKE_DIRECTORY ${manual_directory})

# manual(NAME SECTION PAGE SUMMARY OTHER…)
function(manual name section page summary)
  set(made ${manual_directory}/${name}.${section})
  set(source ${PROJECT_SOURCE_DIR}/docs/${page})
  add_custom_command(OUTPUT ${made}
    COMMAND ${PROJECT_SOURCE_DIR}/script/manual ${name} ${section} ${summary} ${PROJECT_VERSION} ${version_date} ${ARGN}
            < ${source} > ${made}
    DEPENDS ${source} ${PROJECT_SOURCE_DIR}/script/manual ${CMAKE_CURRENT_LIST_FILE} VERBATIM)
  install(FILES ${made} DESTINATION share/man/man${section} COMPONENT manual)
  set_property(GLOBAL APPEND PROPERTY relayd_manual ${made})
endfunction()

manual(relayd 8 commands.md "outbound mail relay" "relayd.yaml(5)" "relayd-sendmail(8)")
manual(relayd.yaml 5 keys.md "configuration of the mail relay relayd" "relayd(8)" "relayd-sendmail(8)")
manual(relayd-sendmail 8 sendmail.md "hand a message to the mail relay relayd" "relayd(8)" "relayd.yaml(5)")

get_property(manual_pages GLOBAL PROPERTY relayd_manual)
add_custom_target(manual ALL DEPENDS ${manual_pages})
add_dependencies(relayd manual)  # so that what is installed is made where relayd alone is built
