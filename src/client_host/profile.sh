# shellcheck shell=sh
# Kafka's tools and the MSK IAM jar, for the login shells of every user.
#
# CLASSPATH is what Kafka's scripts start Java with: without the jar no tool can log in with IAM. What is set stays.
case ":${CLASSPATH:-}:" in
    *:/opt/pipeline-client/lib/aws-msk-iam-auth.jar:*) ;;
    *) export CLASSPATH="/opt/pipeline-client/lib/aws-msk-iam-auth.jar${CLASSPATH:+:$CLASSPATH}" ;;
esac
case ":${PATH:-}:" in
    *:/opt/pipeline-client/kafka/bin:*) ;;
    *) export PATH="${PATH:+$PATH:}/opt/pipeline-client/kafka/bin" ;;
esac
